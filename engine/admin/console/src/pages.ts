// The pages: name in the address, title, place in the navigation, and the file, loaded when first opened.
import type { ComponentType } from 'preact';
import type { Right } from './types';

export interface PageSpec {
  name: string;
  title: string;
  group: 'Operate' | 'Configure' | 'Data' | 'Manage' | null; // null: not in the navigation
  key?: string; // after "g"
  right: Right;
  load: () => Promise<{ default: ComponentType }>;
}

export const pages: PageSpec[] = [
  { name: 'dashboard', title: 'Dashboard', group: 'Operate', key: 'd', right: 'view', load: () => import('./pages/dashboard') },
  { name: 'messages', title: 'Messages', group: 'Operate', key: 'm', right: 'view', load: () => import('./pages/messages') },
  { name: 'message', title: 'Message', group: null, right: 'view', load: () => import('./pages/message') },
  { name: 'quarantine', title: 'Quarantine', group: 'Operate', key: 'q', right: 'view', load: () => import('./pages/quarantine') },
  { name: 'jobs', title: 'Replay jobs', group: 'Operate', key: 'j', right: 'view', load: () => import('./pages/jobs') },
  { name: 'connections', title: 'Connections', group: 'Operate', key: 'n', right: 'view', load: () => import('./pages/connections') },
  { name: 'alerts', title: 'Alerts', group: 'Operate', key: 'a', right: 'view', load: () => import('./pages/alerts') },
  { name: 'channels', title: 'Channels', group: 'Configure', key: 'c', right: 'view', load: () => import('./pages/channels') },
  { name: 'playground', title: 'Playground', group: 'Configure', key: 'p', right: 'configure', load: () => import('./pages/playground') },
  { name: 'fhir', title: 'FHIR browser', group: 'Data', key: 'f', right: 'phi.view', load: () => import('./pages/fhir') },
  { name: 'storage', title: 'Storage', group: 'Data', key: 's', right: 'view', load: () => import('./pages/storage') },
  { name: 'audit', title: 'Audit', group: 'Manage', key: 'u', right: 'audit', load: () => import('./pages/audit') },
  { name: 'settings', title: 'Settings', group: 'Manage', key: 'e', right: 'view', load: () => import('./pages/settings') },
];
