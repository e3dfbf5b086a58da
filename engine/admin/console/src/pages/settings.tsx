// The own account; accounts, API tokens, certificates, relaxed settings and log levels of the installation.
import { PageHead } from '../components/basics';
import { Tabs } from '../components/tabs';
import { link, replace, useRoute } from '../router';
import { useRight } from '../session';
import { Account } from '../settings/account';
import { Relaxed } from '../components/relaxed';
import { Certificates } from '../settings/certificates';
import { Logs } from '../settings/logs';
import { Tokens } from '../settings/tokens';
import { Users } from '../settings/users';

export default function Settings() {
  const admin = useRight('admin');
  const open = useRoute().parts[0] ?? 'account';
  return (
    <div class="stack">
      <PageHead title="Settings" />
      <Tabs
        label="Settings"
        open={open}
        onOpen={(name) => replace(link('settings', [name]))}
        tabs={[
          { name: 'account', title: 'Your account' },
          ...(admin
            ? [
                { name: 'users', title: 'Users and roles' },
                { name: 'tokens', title: 'API tokens' },
              ]
            : []),
          { name: 'certificates', title: 'Certificates and protection' },
          { name: 'logs', title: 'Log levels' },
        ]}
      />
      {open === 'account' ? <Account /> : null}
      {open === 'users' && admin ? <Users /> : null}
      {open === 'tokens' && admin ? <Tokens /> : null}
      {open === 'certificates' ? (
        <>
          <Certificates />
          <Relaxed />
        </>
      ) : null}
      {open === 'logs' ? <Logs /> : null}
    </div>
  );
}
