import { shortcuts } from '../keys';
import { useStore } from '../store';
import { Dialog } from './dialog';

export function Help(props: { onClose: () => void }) {
  const all = useStore(shortcuts);
  return (
    <Dialog title="Keyboard shortcuts" onClose={props.onClose}>
      <dl class="facts">
        {all.map((one) => (
          <>
            <dt>
              {one.keys.split(' ').map((key, n) => (
                <span key={n}>
                  {n > 0 ? ' then ' : ''}
                  <kbd>{key}</kbd>
                </span>
              ))}
            </dt>
            <dd>{one.text}</dd>
          </>
        ))}
        <dt>
          <kbd>Esc</kbd>
        </dt>
        <dd>Close a dialog</dd>
      </dl>
    </Dialog>
  );
}
