// Emergency access to message content: 30 minutes, with a reason, audited and alarmed.
import { api } from '../api';
import { askSession } from '../session';
import { Confirm } from './dialog';

export function BreakGlass(props: { onClose: () => void }) {
  return (
    <Confirm
      title="Emergency access to message content"
      text="You will see patient data for 30 minutes. This raises an alert, and an auditor will look at it."
      action="Open for 30 minutes"
      danger
      reason="needed"
      onClose={props.onClose}
      run={async (reason) => {
        await api.breakGlass(reason);
        await askSession();
      }}
    />
  );
}
