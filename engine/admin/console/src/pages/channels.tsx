// The site: its picture, its configuration and versions; and each channel by itself.
import { useState } from 'preact/hooks';
import { api } from '../api';
import { PageHead, Panel, Pending, State, Time } from '../components/basics';
import { DataTable } from '../components/data_table';
import { Relaxed } from '../components/relaxed';
import { SitePicture } from '../components/site_picture';
import { Tabs } from '../components/tabs';
import { ConfigPanel } from '../config/config_panel';
import { ChannelPage } from '../config/channel_page';
import { Files } from '../config/files';
import { live } from '../live';
import { useLoad } from '../load';
import { link, replace, useRoute } from '../router';
import { useRight } from '../session';
import { useStore } from '../store';

function Overview() {
  const { data, error, loading, reload } = useLoad(() => api.site(), []);
  const { status, stale } = useStore(live);
  const [filter, setFilter] = useState('');
  if (!data) return <Pending loading={loading} error={error} retry={reload} />;
  const shown = data.channels.filter((one) => one.name.toLowerCase().includes(filter.toLowerCase()));
  return (
    <div class={`stack ${stale ? 'stale' : ''}`}>
      <div class="row">
        <input type="search" placeholder="Filter by name" aria-label="Filter channels by name" value={filter} onInput={(event) => setFilter(event.currentTarget.value)} />
        <span class="dim">
          {data.folder} · version <code>{data.hash.slice(0, 12)}</code>
        </span>
      </div>
      <Panel title="Sources → maps → destinations">
        <SitePicture channels={shown.slice(0, 60)} />
      </Panel>
      <Panel title={`Channels (${shown.length})`}>
        <DataTable
          label="Channels"
          items={shown}
          id={(one) => one.name}
          empty="No channel of that name."
          columns={[
            { title: 'Channel', cell: (one) => <a href={link('channels', [one.name])}>{one.name}</a> },
            { title: 'State', cell: (one) => <State state={status?.channels.find((now) => now.name === one.name)?.state ?? 'disabled'} /> },
            { title: 'Source', cell: (one) => `${one.source.kind} ${one.source.summary ?? ''}` },
            { title: 'Accepts', cell: (one) => one.accept?.join(', ') },
            { title: 'Maps', cell: (one) => one.maps.map((map) => map.name.split('.').pop()).join(', ') },
            { title: 'Destinations', cell: (one) => one.destinations.map((to) => `${to.name} (${to.kind})`).join(', ') },
            { title: 'File', cell: (one) => <code>{one.file}</code> },
          ]}
        />
      </Panel>
      <Relaxed />
    </div>
  );
}

export default function Channels() {
  const route = useRoute();
  const tab = route.query.get('tab') ?? 'site';
  const mayConfigure = useRight('configure');
  const [name] = route.parts;
  const { status } = useStore(live);
  if (name) return <ChannelPage name={name} />;
  return (
    <div class="stack">
      <PageHead title="Channels">
        {status?.config_time ? (
          <span class="dim">
            configuration since <Time at={status.config_time} how="full" />
          </span>
        ) : null}
      </PageHead>
      <Tabs
        label="Parts of the site"
        open={tab}
        onOpen={(next) => replace(link('channels', [], { tab: next === 'site' ? undefined : next }))}
        tabs={[{ name: 'site', title: 'Site' }, { name: 'config', title: 'Check, reload and versions' }, ...(mayConfigure ? [{ name: 'files', title: 'Files' }] : [])]}
      />
      {tab === 'site' ? <Overview /> : null}
      {tab === 'config' ? <ConfigPanel /> : null}
      {tab === 'files' ? <Files /> : null}
    </div>
  );
}
