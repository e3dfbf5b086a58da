// One message: where it is and why, its content beside what the maps made of it, what was sent and answered, and what to do.
import { useEffect, useState } from 'preact/hooks';
import { api } from '../api';
import { Empty, PageHead, Pending, State, Time, Unready } from '../components/basics';
import { ReplayDialog } from '../components/replay_dialog';
import { Tabs } from '../components/tabs';
import { bytes } from '../format';
import { useShortcuts } from '../keys';
import { useLoad } from '../load';
import { Content } from '../message/content';
import { Edit } from '../message/edit';
import { Exchange } from '../message/exchange';
import { Destinations, Family, Timeline, WhyPanel } from '../message/story';
import { go, link, replace, useRoute } from '../router';
import { useRight } from '../session';
import type { Message } from '../types';

/** Content is asked for by a click only: each look is in the audit log. */
function Guard(props: { id: number; children: () => preact.JSX.Element }) {
  const [shown, setShown] = useState(0);
  const may = useRight('phi.view');
  if (!may) return <Empty>Your account does not see message content. In an emergency: “Emergency access” in the bar.</Empty>;
  if (shown === props.id) return props.children();
  return (
    <Empty>
      <p>This is patient data. Looking at it is recorded in the audit log.</p>
      <p>
        <button type="button" class="primary" id="show-content" onClick={() => setShown(props.id)}>
          Show the content
        </button>
      </p>
    </Empty>
  );
}

function Head(props: { message: Message; onReplay: () => void }) {
  const { message } = props;
  const mayReplay = useRight('replay');
  const mayRead = useRight('phi.view');
  return (
    <>
      <PageHead
        title={
          <>
            Message {message.id} <State state={message.state} />
          </>
        }
      >
        <span class="grow" />
        <a class="button small" href={link('message', [message.id - 1])} aria-label="Message before">
          ←
        </a>
        <a class="button small" href={link('message', [message.id + 1])} aria-label="Message after">
          →
        </a>
        {mayRead ? (
          <a class="button small" href={api.rawUrl(message.id)} download={`${message.id}.hl7`}>
            Download
          </a>
        ) : null}
        {mayReplay ? (
          <button type="button" class="small" onClick={props.onReplay}>
            Replay…
          </button>
        ) : null}
      </PageHead>
      <dl class="facts inline">
        <div>
          <dt>Type</dt>
          <dd>{message.type}</dd>
        </div>
        <div>
          <dt>Control id</dt>
          <dd class="mono">{message.control_id}</dd>
        </div>
        <div>
          <dt>Channel</dt>
          <dd>
            <a href={link('channels', [message.channel])}>{message.channel}</a>
          </dd>
        </div>
        <div>
          <dt>Received</dt>
          <dd>
            <Time at={message.received} how="full" />
          </dd>
        </div>
        <div>
          <dt>From</dt>
          <dd>{message.peer || message.name || '–'}</dd>
        </div>
        <div>
          <dt>Size</dt>
          <dd>{bytes(message.size)}</dd>
        </div>
        {message.config ? (
          <div>
            <dt>Config</dt>
            <dd class="mono">{message.config.slice(0, 10)}</dd>
          </div>
        ) : null}
        {message.replay_of ? (
          <div>
            <dt>Replay of</dt>
            <dd>
              <a href={link('message', [message.replay_of])}>{message.replay_of}</a>
            </dd>
          </div>
        ) : null}
        {message.edited_from ? (
          <div>
            <dt>Edited from</dt>
            <dd>
              <a href={link('message', [message.edited_from])}>{message.edited_from}</a>
            </dd>
          </div>
        ) : null}
      </dl>
    </>
  );
}

export default function MessagePage() {
  const route = useRoute();
  const id = Number(route.parts[0]);
  const open = route.parts[1] ?? 'story';
  const mayReplay = useRight('replay');
  const [replaying, setReplaying] = useState(false);
  const { data, error, loading, reload } = useLoad(() => api.message(id), [id]);
  const outputs = useLoad(() => api.outputs(id), [id]);
  const show = (tab: string) => replace(link('message', [id, tab]));
  useEffect(() => {
    document.title = `Message ${id} · Kiln`;
  }, [id]);
  useShortcuts(
    [
      { keys: '[', text: 'Message before', run: () => go(link('message', [id - 1, open])) },
      { keys: ']', text: 'Message after', run: () => go(link('message', [id + 1, open])) },
      { keys: '1', text: 'Story: why, timeline, destinations', run: () => show('story') },
      { keys: '2', text: 'Content and lineage', run: () => show('content') },
      { keys: '3', text: 'Sent and answered', run: () => show('exchange') },
      { keys: '4', text: 'Edit and resend', run: () => show('edit') },
      { keys: 'c', text: 'Show the content (audited)', run: () => document.getElementById('show-content')?.click() },
    ],
    [id, open],
  );
  if (!data) return <Unready title={`Message ${id}`} loading={loading} error={error} retry={reload} />;
  return (
    <div class="stack">
      <Head message={data} onReplay={() => setReplaying(true)} />
      <Tabs
        label="Parts of the message"
        open={open}
        onOpen={show}
        tabs={[
          { name: 'story', title: 'Story' },
          { name: 'content', title: 'Content and lineage' },
          { name: 'exchange', title: 'Sent and answered' },
          ...(mayReplay ? [{ name: 'edit', title: 'Edit and resend' }] : []),
        ]}
      />
      {open === 'story' ? (
        <>
          <div class="columns">
            <WhyPanel id={id} message={data} onReplay={() => setReplaying(true)} onEdit={() => show('edit')} />
            <Destinations outputs={outputs} />
          </div>
          <Timeline id={id} />
          <Family id={id} />
        </>
      ) : null}
      {open === 'content' ? <Guard id={id}>{() => <Content id={id} kind={data.kind} />}</Guard> : null}
      {open === 'exchange' ? <Guard id={id}>{() => (outputs.data ? <Exchange message={data} outputs={outputs.data.outputs} /> : <Pending loading={outputs.loading} error={outputs.error} />)}</Guard> : null}
      {open === 'edit' && mayReplay ? <Guard id={id}>{() => <Edit message={data} />}</Guard> : null}
      {replaying ? (
        <ReplayDialog
          query={String(id)}
          what={`message ${id}`}
          destinations={[...new Set(data.destinations.map((one) => one.destination.split('/')[1] ?? ''))].filter((one) => one !== '' && one !== '-')}
          onClose={() => setReplaying(false)}
        />
      ) : null}
    </div>
  );
}
