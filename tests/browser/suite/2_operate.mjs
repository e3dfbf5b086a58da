// Dashboard, channels, quarantine, jobs, connections, alerts, storage: what an operator does there.
import { MockEngine } from '../mock/server.mjs';
import { check, closePage, openPage, test, waitFor } from '../support.mjs';

export async function run({ browser, packed }) {
  const engine = await new MockEngine(packed, { messages: 600 }).start();
  const on = (path, body, options) => async () => {
    const page = await openPage(browser, engine, options);
    engine.calls.length = 0;
    await page.goto(`${engine.url}/console/#/${path}`);
    await body(page);
    await closePage(page);
  };
  const last = (path) => engine.called('POST', path).at(-1)?.body;

  await test('dashboard: verdict, problems by impact, live counts, stop with confirm', on('dashboard', async (page) => {
    await page.getByText('2 problems, worst: orders/lab_out').waitFor();
    for (const stream of engine.streams) engine.send(stream, 'alert', { id: 'a1', name: 'QueueAge', state: 'start', text: 'oldest waits 11 min' });
    await page.getByText('Alert: QueueAge oldest waits 11 min').waitFor();
    check((await page.locator('.problem').first().innerText()).includes('312 messages wait'), 'the worst problem is not first');
    const received = page.locator('.channels tbody tr', { hasText: 'adt_in' }).locator('td.num').nth(1);
    const before = await received.innerText();
    await waitFor('the counter moves', async () => (await received.innerText()) !== before, 30_000);
    check((await page.locator('.channels tbody tr').first().innerText()).startsWith('orders'), 'the worst channel is not first');
    await page.getByRole('button', { name: 'Control pharmacy' }).click();
    await page.getByRole('dialog').getByText('senders get no connection').waitFor();
    await page.getByRole('dialog').getByRole('button', { name: 'Stop' }).click();
    await page.getByRole('dialog').getByLabel('Reason (optional)').fill('robot is being moved');
    await page.getByRole('dialog').getByRole('button', { name: 'Stop' }).click();
    await page.getByText('pharmacy: stop done').waitFor();
    check(last('/channels/pharmacy/stop').reason === 'robot is being moved', 'the reason is not sent');
    await page.locator('.channels tr', { hasText: 'pharmacy' }).getByText('stopped').waitFor();
  }));

  await test('dashboard: filter and order; Escape closes a dialog and asks nothing', on('dashboard', async (page) => {
    await page.getByLabel('Filter channels by name').fill('lab');
    check((await page.locator('.channels tbody th').count()) === 1, 'the filter keeps other channels');
    await page.getByRole('button', { name: 'Control lab_in' }).click();
    await page.keyboard.press('Escape');
    await waitFor('the dialog is closed', async () => (await page.getByRole('dialog').count()) === 0);
    check(engine.calls.length === 0, 'something was asked');
  }));

  await test('500 channels: the dashboard stays usable', async () => {
    const large = await new MockEngine(packed, { channels: 500, messages: 300 }).start();
    const page = await openPage(browser, large);
    await page.goto(`${large.url}/console/`);
    await page.getByText('2 problems, worst').waitFor();
    await page.getByLabel('Filter channels by name').fill('site_499');
    await page.getByRole('link', { name: 'site_499' }).waitFor();
    await closePage(page);
    large.stop();
  });

  await test('channels: picture, one channel with curves, pause and retry of a destination', on('channels', async (page) => {
    await page.locator('.picture svg').getByText('312 wait').waitFor();
    check((await page.locator('.picture .edge.bad').count()) === 1, 'the blocked way is not marked');
    await page.getByRole('link', { name: 'orders' }).click();
    await page.getByRole('heading', { level: 1, name: /orders/ }).waitFor();
    await page.locator('.chart canvas').first().waitFor();
    await page.getByRole('link', { name: '4711' }).waitFor();
    await page.getByRole('button', { name: 'Try now orders/lab_out' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Try now' }).click();
    await waitFor('asked', () => engine.called('POST', '/destinations/orders/lab_out/retry-now').length === 1);
    await page.getByRole('button', { name: 'Pause orders' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Pause' }).click();
    await waitFor('paused', () => engine.called('POST', '/channels/orders/pause').length === 1);
    await page.getByRole('button', { name: 'Resume orders', exact: true }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Resume' }).click();
    await waitFor('resumed', () => engine.called('POST', '/channels/orders/resume').length === 1);
  }));

  await test('configuration: findings, diff, reload and rollback with their effects and a reason', on('channels', async (page) => {
    await page.getByRole('tab', { name: 'Check, reload and versions' }).click();
    await page.getByText('this listener has no TLS').waitFor();
    await page.locator('.added', { hasText: 'PID-3.1' }).waitFor();
    await page.getByRole('button', { name: 'Reload…' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('the map changes, nothing restarts').waitFor();
    check(await dialog.getByRole('button', { name: 'Reload', exact: true }).isDisabled(), 'no reason is asked for');
    await dialog.getByLabel('Reason').fill('identifier of the house');
    await dialog.getByRole('button', { name: 'Reload', exact: true }).click();
    await page.getByText('The new configuration runs').waitFor();
    check(last('/config/apply').dry_run === false && last('/config/apply').reason !== '', 'the reload is not as asked');
    await page.getByRole('button', { name: 'Roll back to 19b7aa20c4d1' }).click();
    await dialog.getByText('channel pharmacy: stops').waitFor();
    await dialog.getByLabel('Reason').fill('wrong codes');
    await dialog.getByRole('button', { name: 'Roll back' }).click();
    await waitFor('rolled back', () => last('/config/rollback')?.dry_run === false);
    check(last('/config/rollback').version === '19b7aa20c4d1', 'another version');
    await page.getByRole('tab', { name: 'Files' }).click();
    await page.getByRole('button', { name: 'maps/admissions.hmap' }).click();
    await page.getByText('create Patient as patient').waitFor();
  }));

  await test('quarantine: try one, release all and resolve after their dry run, assign, note, drop with reason and typed count', on('quarantine', async (page) => {
    const dialog = page.getByRole('dialog');
    await page.getByText('25 messages wait for a decision').waitFor();
    await page.getByRole('button', { name: 'Try one…' }).first().click();
    check(await dialog.getByRole('button', { name: 'Release' }).isDisabled(), 'released without a dry run');
    await dialog.getByRole('button', { name: 'Dry run' }).click();
    await dialog.getByText('would be sent to pas').waitFor();
    check(last('/quarantine/release').dry_run === true && last('/quarantine/release').ids[0] === 4647, 'not one message, dry');
    await dialog.getByLabel('Reason').fill('map mended');
    await dialog.getByRole('button', { name: 'Release' }).click();
    await page.getByText('1 message released').waitFor();
    await page.getByRole('button', { name: 'Release all…' }).first().click();
    await dialog.getByLabel('Reason').fill('map mended');
    await dialog.getByRole('button', { name: 'Dry run' }).click();
    await dialog.getByText('23 messages would be released').waitFor();
    await dialog.getByRole('button', { name: 'Release' }).click();
    await page.getByText('23 messages released').waitFor();
    check(last('/quarantine/release').query === 'channel:adt_in state:quarantined dest:pas code:mapping-require', 'the query is not that of the group');
    await page.getByRole('button', { name: 'Assign…' }).first().click();
    await dialog.getByRole('button', { name: 'Assign' }).click();
    await waitFor('assigned', () => last('/quarantine/assign')?.owner === 'ann');
    await page.getByRole('button', { name: 'Note…' }).first().click();
    await dialog.getByLabel('Note').fill('asked the ward');
    await dialog.getByRole('button', { name: 'Note' }).click();
    await waitFor('noted', () => last('/quarantine/note')?.note === 'asked the ward');
    await page.getByRole('button', { name: 'Resolve…' }).first().click();
    check(await dialog.getByRole('button', { name: 'Resolve' }).isDisabled(), 'resolved without a reason');
    await dialog.getByLabel('Reason').fill('entered by hand at the receiver');
    check(await dialog.getByRole('button', { name: 'Resolve' }).isDisabled(), 'all of them resolved without a dry run');
    await dialog.getByRole('button', { name: 'Dry run' }).click();
    await dialog.getByText('23 messages would be resolved').waitFor();
    check(last('/quarantine/resolve').dry_run === true, 'the dry run was none');
    await dialog.getByRole('button', { name: 'Resolve' }).click();
    await page.getByText('23 messages resolved').waitFor();
    check(last('/quarantine/resolve').dry_run === false && last('/quarantine/resolve').reason === 'entered by hand at the receiver', 'not as asked');
    await page.getByRole('button', { name: 'Drop…' }).first().click();
    await dialog.getByLabel('Reason').fill('test messages');
    await dialog.getByRole('button', { name: 'Dry run' }).click();
    await dialog.getByText('23 messages would be dropped').waitFor();
    check(await dialog.getByRole('button', { name: 'Drop' }).isDisabled(), 'dropped without typing the count');
    await dialog.getByLabel('Type 23 to go on').fill('23');
    await dialog.getByRole('button', { name: 'Drop' }).click();
    await waitFor('dropped', () => last('/quarantine/drop')?.reason === 'test messages');
    await page.getByRole('button', { name: 'Show the messages' }).first().click();
    const items = page.getByRole('region', { name: 'Messages of mapping-require' });
    await items.waitFor();
    await items.getByLabel('Choose 427').check();
    await items.getByLabel('Choose 216').check();
    await page.getByText('2 chosen').waitFor();
    await page.getByRole('button', { name: 'Release chosen…' }).click();
    await dialog.getByLabel('Reason').fill('two of them');
    await dialog.getByRole('button', { name: 'Dry run' }).click();
    await dialog.getByText('2 messages would be released').waitFor();
    await dialog.getByRole('button', { name: 'Release' }).click();
    await waitFor('released', () => last('/quarantine/release')?.dry_run === false && last('/quarantine/release').ids?.join() === '427,216');
    await items.getByLabel('Choose all').check();
    await page.getByText('3 chosen').waitFor();
  }));

  await test('replay jobs: progress, pause, cancel', on('jobs', async (page) => {
    await page.getByText('channel:lab_in state:quarantined').waitFor();
    check(engine.foreground.has('/replay/jobs'), 'the first look is no polling');
    await waitFor('polling says what it is, so that it keeps no session alive', () => engine.background.has('/replay/jobs'));
    check((await page.locator('progress').first().getAttribute('value')) === '1903', 'the progress counts other messages');
    await page.getByRole('button', { name: 'Pause job 7' }).click();
    await waitFor('paused', () => engine.called('POST', '/replay/jobs/7/pause').length === 1);
    await page.getByRole('button', { name: 'Cancel job 7' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel the job' }).click();
    await waitFor('cancelled', () => engine.called('POST', '/replay/jobs/7/cancel').length === 1);
  }));

  await test('alerts: take and silence with an end', on('alerts', async (page) => {
    await page.getByText('orders/lab_out is down').waitFor();
    await page.getByRole('button', { name: 'Send a test note' }).click();
    await page.getByText('A test note goes out by 2 routes').waitFor();
    await page.getByRole('button', { name: 'Take DestinationDown' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Assign' }).click();
    await waitFor('taken', () => last('/alerts/a1/own')?.owner === 'ann');
    await page.getByRole('button', { name: 'Silence DestinationDown' }).click();
    await page.getByRole('dialog').getByLabel('For').selectOption('12');
    await page.getByRole('dialog').getByRole('button', { name: 'Silence' }).click();
    check((await page.getByRole('link', { name: 'Runbook of DestinationDown' }).getAttribute('href')) === 'https://wiki.north.example/kiln/destination-down', 'the runbook is not linked');
    const past = page.getByRole('region', { name: 'Alerts before' });
    check((await past.locator('tbody tr').count()) === 6, 'the history is not there');
    await page.getByRole('button', { name: 'Older' }).click();
    await past.getByText('CertExpiry').waitFor();
    await waitFor('silenced', () => Date.parse(last('/alerts/a1/silence')?.until ?? '') > Date.now() + 11 * 3_600_000);
  }));

  await test('connections show both sides; storage what holds a day, prune after a dry run, backup', on('connections', async (page) => {
    await page.getByText('connection refused').waitFor();
    await page.getByLabel('Filter').fill('adt');
    check((await page.getByRole('region', { name: 'Connections' }).locator('tbody tr').count()) === 4, 'not the source and three destinations');
    await page.goto(`${engine.url}/console/#/storage`);
    await page.getByText('master key 9f31aa02').waitFor();
    await page.locator('.tile', { hasText: 'Last backup' }).getByText(/ago$/).first().waitFor();
    await page.locator('.tile', { hasText: 'All records read' }).getByText('1 damaged').waitFor();
    check((await page.getByRole('row', { name: /checksum/ }).getByRole('link', { name: '77' }).getAttribute('href')) === '#/message/77', 'no way to the damaged message');
    await page.getByText('held by 4 quarantined').waitFor();
    await page.getByRole('button', { name: 'Prune…' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('Dry run: 1 file, 1.6 GB').waitFor();
    check(await dialog.getByRole('button', { name: 'Remove' }).isDisabled(), 'no reason is asked for');
    await dialog.getByLabel('Reason').fill('disk');
    await dialog.getByRole('button', { name: 'Remove' }).click();
    await page.getByText('1 day file removed').waitFor();
    check(last('/storage/prune').dry_run === false, 'nothing was pruned');
    await page.getByRole('button', { name: 'Back up…' }).click();
    await dialog.getByLabel(/^Folder/).fill('/backup/kiln');
    await dialog.getByRole('button', { name: 'Back up' }).click();
    await waitFor('backed up', () => last('/storage/backup')?.folder === '/backup/kiln');
  }));
  engine.stop();
}
