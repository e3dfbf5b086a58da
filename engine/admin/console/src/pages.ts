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
];
