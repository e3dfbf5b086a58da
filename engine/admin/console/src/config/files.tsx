// The files of the site as they lie on disk, to read. They are changed where they live: in version control.
import { useState } from 'preact/hooks';
import { api } from '../api';
import { Panel, Pending } from '../components/basics';
import { bytes } from '../format';
import { useLoad } from '../load';

export function FileText(props: { path: string; line?: number }) {
  const { data, error, loading } = useLoad(() => api.configFile(props.path), [props.path]);
  if (!data)
    return (
      <div class="body">
        <Pending loading={loading} error={error} />
      </div>
    );
  return (
    <pre class="code" tabIndex={0} aria-label={props.path}>
      {data.text.replace(/\n$/, '').split('\n').map((line, n) => (
        <span key={n} class={n + 1 === props.line ? 'marked' : ''}>
          <span class="line-number">{String(n + 1).padStart(4)} </span>
          {line}
          {'\n'}
        </span>
      ))}
    </pre>
  );
}

export function Files() {
  const { data, error, loading } = useLoad(() => api.configFiles(), []);
  const [open, setOpen] = useState('');
  if (!data) return <Pending loading={loading} error={error} />;
  const path = open || (data.files[0]?.path ?? '');
  return (
    <div class="split">
      <Panel title="Files">
        <ul class="body">
          {data.files.map((one) => (
            <li key={one.path} class="row">
              <button type="button" class={`link mono${one.path === path ? ' chosen' : ''}`} onClick={() => setOpen(one.path)}>
                {one.path}
              </button>
              <span class="dim">{bytes(one.size)}</span>
            </li>
          ))}
        </ul>
      </Panel>
      <Panel title={<code>{path}</code>}>{path ? <FileText path={path} /> : null}</Panel>
    </div>
  );
}
