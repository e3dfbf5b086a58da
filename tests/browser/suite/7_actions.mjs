// The actions that no other suite takes: each button and field of each page is pressed somewhere.
import { MockEngine, person } from '../mock/server.mjs';
import { check, checkAccess, closePage, openPage, screenshot, test, waitFor } from '../support.mjs';

export async function run({ browser, packed, folder }) {
  const engine = await new MockEngine(packed, { messages: 600 }).start();
  const on = (path, body, options) => async () => {
    const page = await openPage(browser, engine, options);
    engine.calls.length = 0;
    engine.session = person();
    await page.goto(`${engine.url}/console/#/${path}`);
    await body(page, page.getByRole('dialog'));
    await closePage(page);
  };
  const last = (method, path) => engine.called(method, path).at(-1)?.body;
  const posted = (what, path) => waitFor(what, () => engine.called('POST', path).length > 0);

  await test('dashboard: tiles lead to their messages, order, drain and start', on('dashboard', async (page, dialog) => {
    await page.getByLabel('Order', { exact: true }).selectOption('name');
    check((await page.locator('.channels tbody th a').first().innerText()) === 'adt_in', 'not by name');
    await page.getByLabel('Order', { exact: true }).selectOption('busiest');
    for (const [button, action] of [['Drain', 'drain'], ['Start', 'start']]) {
      await page.getByRole('button', { name: 'Control bulk_csv' }).click();
      await dialog.getByRole('button', { name: button }).click();
      await dialog.getByRole('button', { name: button }).click();
      await posted(action, `/channels/bulk_csv/${action}`);
      await page.locator('.channels tr', { hasText: 'bulk_csv' }).first().getByText(action === 'drain' ? 'draining' : 'up').waitFor();
    }
    await page.locator('.tile', { hasText: 'Filtered' }).click();
    await page.getByRole('grid').waitFor();
    check((await page.getByLabel('Query', { exact: true }).inputValue()) === 'state:filtered', 'not the filtered ones');
  }));

  await test('messages: columns are chosen and kept; none chosen again; a saved query is forgotten', on('messages', async (page, dialog) => {
    await page.getByRole('grid').waitFor();
    await page.getByRole('button', { name: 'Columns…' }).click();
    await checkAccess(page, 'columns');
    await dialog.getByLabel('Answer').check();
    await dialog.getByLabel('Control id').uncheck();
    await dialog.getByRole('button', { name: 'Done' }).click();
    await page.getByRole('columnheader', { name: 'Answer' }).waitFor();
    check((await page.getByRole('columnheader', { name: 'Control id' }).count()) === 0, 'the column is still there');
    await page.reload();
    await page.getByRole('columnheader', { name: 'Answer' }).waitFor();
    await page.getByRole('button', { name: 'Columns…' }).click();
    await dialog.getByRole('button', { name: 'The usual ones' }).click();
    await dialog.getByRole('button', { name: 'Done' }).click();
    await page.getByRole('columnheader', { name: 'Control id' }).waitFor();
    await page.getByLabel('Choose message 600').check();
    await page.getByText('1 chosen').waitFor();
    check((await page.getByRole('link', { name: 'Export chosen' }).getAttribute('href')).endsWith('q=600'), 'not the chosen ones are exported');
    await page.getByRole('button', { name: 'None' }).click();
    await page.getByRole('button', { name: 'Save…' }).click();
    await dialog.getByRole('button', { name: 'Forget Failed today' }).click();
    await waitFor('forgotten', () => engine.queries.every((one) => one.name !== 'Failed today'));
  }));

  await test('message: replay as a job to a destination; download; before and after; edit from why', on('message/500', async (page, dialog) => {
    await page.getByRole('heading', { name: 'Message 500' }).waitFor();
    await page.getByRole('button', { name: 'Replay…' }).first().click();
    await dialog.getByLabel('repo').check();
    await dialog.getByLabel('Reason').fill('table repaired');
    await dialog.getByLabel('as a job, at most').check();
    await dialog.getByLabel('messages a second').fill('20');
    await dialog.getByRole('button', { name: 'Dry run' }).click();
    await dialog.getByText('Dry run:').waitFor();
    await dialog.getByRole('button', { name: 'Close' }).click();
    await page.goto(`${engine.url}/console/#/messages?q=channel:adt_in`);
    await page.getByRole('button', { name: 'Replay all…' }).click();
    await dialog.getByLabel('repo').check();
    await dialog.getByLabel('Reason').fill('table repaired');
    await dialog.getByLabel('as a job, at most').check();
    await dialog.getByLabel('messages a second').fill('20');
    await dialog.getByRole('button', { name: 'Dry run' }).click();
    await dialog.getByText('Dry run:').waitFor();
    await dialog.getByRole('button', { name: 'Replay', exact: true }).click();
    await page.getByRole('heading', { name: 'Replay jobs' }).waitFor();
    const job = last('POST', '/replay/jobs');
    check(job.rate === 20 && job.to.join() === 'repo' && job.reason === 'table repaired' && job.query === 'channel:adt_in', JSON.stringify(job));
    await page.goto(`${engine.url}/console/#/message/500`);
    await page.getByRole('link', { name: 'Message before' }).click();
    await page.getByRole('heading', { name: 'Message 499' }).waitFor();
    await page.getByRole('link', { name: 'Message after' }).click();
    await page.getByRole('heading', { name: 'Message 500' }).waitFor();
    check((await page.getByRole('link', { name: 'Download' }).getAttribute('href')) === '/api/v1/messages/500/raw', 'another address');
    for (const [key, tab] of [['2', 'Content and lineage'], ['3', 'Sent and answered'], ['4', 'Edit and resend'], ['1', 'Story']]) {
      await page.keyboard.press(key);
      await page.getByRole('tab', { name: tab, selected: true }).waitFor();
    }
  }));

  await test('message: that is not there is said plainly, with a title', on('message/99999', async (page) => {
    page.expected = /404/;
    await page.getByText('there is no message 99999').waitFor();
    await page.getByText('Look for it with a search.').waitFor();
    check((await page.locator('h1').innerText()) === 'Message 99999', 'the page has no title');
  }));

  await test('jobs: resume; channel page: stop, destination pause and resume', on('channels/pharmacy', async (page, dialog) => {
    for (const [button, action] of [['Stop', 'stop'], ['Start', 'start'], ['Drain', 'drain'], ['Start', 'start']]) {
      await page.getByRole('button', { name: `${button} pharmacy`, exact: true }).click();
      await dialog.getByRole('button', { name: button }).click();
      await posted(action, `/channels/pharmacy/${action}`);
    }
    await page.getByRole('button', { name: 'Pause pharmacy/robot' }).click();
    await dialog.getByRole('button', { name: 'Pause' }).click();
    await posted('paused', '/destinations/pharmacy/robot/pause');
    engine.channels.find((one) => one.name === 'pharmacy').destinations[0].state = 'paused';
    await page.reload();
    await page.getByRole('button', { name: 'Resume pharmacy/robot' }).click();
    await dialog.getByRole('button', { name: 'Resume' }).click();
    await posted('resumed', '/destinations/pharmacy/robot/resume');
    engine.channels.find((one) => one.name === 'pharmacy').destinations[0].state = 'running';
    await page.goto(`${engine.url}/console/#/channels/nowhere`);
    await page.getByText('There is no channel of this name.').waitFor();
  }));

  await test('channels: filter, a box of the picture opens its page, the tab is in the address, check again', on('channels', async (page) => {
    await page.getByLabel('Filter channels by name').fill('radio');
    check((await page.locator('.picture .node').count()) === 2, 'other channels are drawn');
    await page.getByLabel('Filter channels by name').fill('');
    await page.locator('.picture .node', { hasText: 'orders' }).first().click();
    await page.getByRole('heading', { level: 1, name: /orders/ }).waitFor();
    await page.goto(`${engine.url}/console/#/channels?tab=config`);
    await page.getByText('1 finding').waitFor();
    await page.getByRole('button', { name: 'Look again' }).click();
    await page.getByText('this listener has no TLS').waitFor();
  }));

  await test('playground: another map, file and sample; a finding opens its file; a value shows its place in the sample', on('playground', async (page) => {
    await page.locator('.values button').first().waitFor();
    await page.locator('.tools').getByLabel('Map', { exact: true }).selectOption('lab_results');
    await page.getByLabel('Editor of maps/lab_results.hmap').waitFor();
    await page.locator('.tools').getByLabel('File', { exact: true }).selectOption('maps/admissions.hmap');
    await page.locator('.tools').getByLabel('Sample', { exact: true }).selectOption('');
    await page.getByLabel('Sample message').fill('MSH|^~\\&|HIS\nPID|1||700412^^^NORTH^MR\n');
    await page.getByRole('button', { name: 'Run', exact: true }).click();
    await waitFor('run', () => last('POST', '/playground/run')?.sample.startsWith('MSH|^~\\&|HIS\nPID'));
    // The answer of the run may come between the two clicks and take the chosen value away.
    await waitFor('the place of a value', async () => {
      await page.locator('.values button', { hasText: 'birthDate' }).click();
      return page.getByRole('button', { name: 'show in the sample' }).click({ timeout: 2000 }).then(() => true, () => false);
    });
    const chosen = await page.getByLabel('Sample message').evaluate((box) => box.value.slice(box.selectionStart, box.selectionEnd));
    check(chosen === '700412', `chosen: ${chosen}`);
    const editor = page.getByLabel('Editor of maps/admissions.hmap');
    await editor.click();
    await page.keyboard.type('@@');
    await page.getByRole('button', { name: 'maps/admissions.hmap:6:5' }).click();
    await waitFor('the line is chosen', async () => (await page.locator('.cm-activeLine').innerText()).includes('identifier'));
    const before = engine.called('POST', '/playground/run').length;
    await page.keyboard.press('Control+Enter');
    await waitFor('run by keyboard', () => engine.called('POST', '/playground/run').length > before);
    await page.getByRole('button', { name: 'Forget the draft' }).click();
  }));

  await test('FHIR: parameters come and go; a reference is followed; the way back keeps what was found', on('fhir', async (page) => {
    page.expected = /404/; // the mock has no Organization
    await page.getByRole('button', { name: 'Show the content' }).click();
    await page.getByRole('button', { name: 'Add a parameter' }).click();
    await page.getByLabel('Parameter 2', { exact: true }).fill('birthdate');
    await page.getByLabel('Value 2').fill('1980-02-29');
    await page.getByLabel('Remove parameter 1').click();
    await page.getByText('GET /fhir/Patient?birthdate=1980-02-29').waitFor();
    await page.getByRole('button', { name: 'Search' }).click();
    await page.getByRole('link', { name: 'Patient/2' }).click();
    await page.getByRole('heading', { name: 'FHIR / Patient/2' }).waitFor();
    await page.getByRole('link', { name: 'FHIR', exact: true }).click();
    await page.getByRole('link', { name: 'Patient/1' }).waitFor();
    check((await page.getByLabel('Value 1').inputValue()) === '1980-02-29', 'the search is forgotten');
    await page.getByRole('link', { name: 'Patient/1' }).click();
    await page.getByRole('button', { name: '"Organization/9"' }).click();
    await waitFor('followed', () => page.url().endsWith('fhir/Organization/9'));
  }));

  await test('audit: outcome and action, older ones, export', on('audit', async (page) => {
    await page.getByText('channel.pause').first().waitFor();
    await page.getByRole('button', { name: 'Older' }).click();
    await waitFor('80 records', async () => (await page.locator('tbody tr').count()) === 80);
    await page.getByLabel('Outcome').selectOption('refused');
    await page.getByPlaceholder('Action').fill('login');
    await page.getByRole('button', { name: 'Filter' }).click();
    await waitFor('one record', async () => (await page.locator('tbody tr').count()) === 1);
    check((await page.getByRole('link', { name: 'Export' }).getAttribute('href')) === '/api/v1/audit/export', 'another address');
  }));

  await test('settings: more is logged of every channel or of one, for a while, and it is ended', on('settings/logs', async (page, dialog) => {
    const rows = page.getByRole('row');
    await rows.filter({ hasText: 'lab_in' }).getByText('debug').waitFor();
    await page.getByText('12 lines lost since the start').waitFor();
    await page.getByRole('button', { name: 'Set a level…' }).click();
    await checkAccess(page, 'set a level');
    check((await dialog.getByLabel('Channel', { exact: true }).locator('option').count()) > 3, 'the channels are not offered');
    await dialog.getByLabel('Log from').selectOption('warn');
    await dialog.getByLabel('For', { exact: true }).selectOption('3600');
    await dialog.getByLabel('Reason').fill('a quiet night');
    await dialog.getByRole('button', { name: 'Set', exact: true }).click();
    await page.getByText('Everything from warn on is logged').waitFor();
    const set = last('POST', '/log');
    check(set.channel === '*' && set.level === 'warn' && set.seconds === 3600 && set.reason === 'a quiet night', JSON.stringify(set));
    await page.getByRole('button', { name: 'Set a level…' }).click();
    await dialog.getByLabel('Channel', { exact: true }).selectOption('orders');
    await dialog.getByRole('button', { name: 'Set', exact: true }).click();
    await rows.filter({ hasText: 'orders' }).getByText('debug').waitFor();
    await screenshot(page, folder, 'settings-logs-set');
    await page.getByRole('button', { name: 'End the level of every channel' }).click();
    await dialog.getByRole('button', { name: 'End now', exact: true }).click();
    await page.getByText('Everything from info on is logged').waitFor();
    check(last('POST', '/log').seconds === 0, 'it was not ended');
    engine.session = { ...person(), rights: ['view'] };
    await page.reload();
    await rows.filter({ hasText: 'orders' }).waitFor();
    check((await page.getByRole('button', { name: /Set a level|End the level/ }).count()) === 0, 'a viewer can set levels');
  }));

  await test('relaxed settings: the list stands on the channels and the settings page', on('channels', async (page) => {
    for (const place of ['channels', 'settings/certificates']) {
      await page.goto(`${engine.url}/console/#/${place}`);
      const list = page.getByRole('list', { name: 'Relaxed settings' });
      await list.getByText('lab_in: source mllp listens without TLS (accept_risk)').waitFor();
      check((await list.getByRole('listitem').count()) === engine.status.insecure.length, 'not all of them');
    }
    engine.status.insecure = [];
    await page.reload();
    await page.getByText('Nothing of the protection is given up').waitFor();
  }));

  await test('settings: an account is changed, its second factor reset; the own second factor is switched off', on('settings/users', async (page, dialog) => {
    await page.getByRole('button', { name: 'Change ann' }).click();
    await dialog.getByLabel('Role').selectOption('auditor');
    await dialog.getByLabel('disabled').check();
    await dialog.getByRole('button', { name: 'Save' }).click();
    await waitFor('changed', () => last('PATCH', '/users/ann')?.role === 'auditor' && last('PATCH', '/users/ann').disabled === true);
    await page.getByRole('button', { name: /^Reset.* ann$/ }).click();
    await dialog.getByRole('button', { name: /^Reset/ }).click();
    await waitFor('reset', () => last('PATCH', '/users/ann')?.reset_mfa === true);
    engine.session.mfa = true;
    await page.goto(`${engine.url}/console/#/settings`);
    await page.reload();
    await page.getByLabel('Password, to switch it off').fill('right');
    await page.getByRole('button', { name: 'Switch it off' }).click();
    await page.getByText('The second factor is off.').waitFor();
  }));

  await test('an account whose password somebody else has set changes it first', on('dashboard', async (page) => {
    engine.session = { ...person([]), must_change_password: true };
    await page.reload();
    await page.getByRole('heading', { name: 'Before you begin' }).waitFor();
    await checkAccess(page, 'first steps');
    await screenshot(page, folder, 'first-steps-light');
    check((await page.getByRole('navigation').count()) === 0, 'there are pages that it may not see');
    await page.getByLabel('Password now').fill('right');
    await page.getByLabel('New password', { exact: true }).fill('only mine from now');
    await page.getByLabel('New password again').fill('only mine from now');
    engine.session = { ...person(), mfa_required: true };
    await page.getByRole('button', { name: 'Change the password' }).click();
    await page.getByText('need a second factor').waitFor();
    await page.getByRole('button', { name: 'Set it up' }).click();
    await page.getByLabel('Code').fill('123456');
    await page.getByRole('button', { name: 'Switch it on' }).click();
    await page.getByText('2 problems, worst').waitFor();
  }));

  await test('a connection that breaks is said in plain words, and nothing that came meanwhile is lost', on('dashboard', async (page) => {
    page.expected = /ERR_|Failed to load/;
    await page.getByText('2 problems, worst').waitFor();
    engine.silent = true;
    engine.dropStreams(true);
    const { openStream } = engine;
    engine.openStream = (response) => response.destroy();
    await page.getByText(/No connection to the engine for/).waitFor();
    await checkAccess(page, 'lost connection');
    await screenshot(page, folder, 'lost-light');
    const lab = engine.channels.find((one) => one.name === 'lab_in');
    lab.received += 777;
    engine.status.verdict = { level: 'ok', text: 'everything runs' };
    engine.openStream = openStream;
    await page.getByRole('button', { name: 'Connect now' }).click();
    await page.getByText('everything runs').waitFor();
    const wanted = String(lab.received);
    await page.locator('.channels tbody tr', { hasText: 'lab_in' }).first().locator('td', { hasText: wanted.replace(/(\d)(\d{3})$/, '$1\u202f$2') }).waitFor();
    check((await page.getByText(/No connection to the engine/).count()) === 0, 'the banner stays');
    engine.silent = false;
  }));

  await test('a forged request is refused; a session renewed in another tab goes on, one of another account does not', on('jobs', async (page, dialog) => {
    page.expected = /403/;
    await page.getByRole('button', { name: 'Pause job 7' }).waitFor();
    const forged = await page.evaluate(async () => (await fetch('/api/v1/replay/jobs/7/cancel', { method: 'POST', body: '{}' })).status);
    check(forged === 403, `a request without the token is answered ${forged}`);
    engine.session = { ...person(), csrf: 'renewed' };
    await page.getByRole('button', { name: 'Pause job 7' }).click();
    await page.getByText('Job 7: pause done').waitFor();
    engine.session = { ...person(), user: 'ben', csrf: 'of ben' };
    const before = engine.calls.length;
    await page.getByRole('button', { name: 'Cancel job 7' }).click();
    await dialog.getByRole('button', { name: 'Cancel the job' }).click();
    await page.getByRole('button', { name: 'Log in' }).waitFor();
    check(engine.calls.slice(before).filter((one) => one.path.endsWith('/cancel')).length === 1, 'it was tried again as somebody else');
  }));

  await test('keyboard: every page is reached, and the first thing that Tab meets there is in sight', on('dashboard', async (page) => {
    await page.getByText(/everything runs|2 problems/).first().waitFor();
    for (const [key, title] of Object.entries({ m: 'Messages', q: 'Quarantine', j: 'Replay jobs', n: 'Connections', a: 'Alerts', c: 'Channels', p: 'Playground', f: 'FHIR browser', s: 'Storage', u: 'Audit', e: 'Settings', d: 'Dashboard' })) {
      await page.evaluate(() => document.activeElement?.blur());
      await page.keyboard.press('g');
      await page.keyboard.press(key);
      await page.locator('#main h1', { hasText: title }).waitFor({ state: 'attached' });
      await page.waitForFunction(() => !document.querySelector('#main').textContent.includes('Loading…'));
      await page.locator('#main').focus();
      await page.keyboard.press('Tab');
      const seen = await page.evaluate(() => {
        const one = document.activeElement;
        const style = getComputedStyle(one);
        return one.matches('#main *') && one.getClientRects().length > 0 && style.outlineStyle !== 'none';
      });
      check(seen, `${title}: nothing takes the focus, or it is not seen`);
    }
    await page.keyboard.press('?');
    await page.getByRole('dialog').getByText('Show these shortcuts').waitFor();
    await checkAccess(page, 'help');
    await screenshot(page, folder, 'help-light');
  }));

  await test('buttons keep their contrast under the pointer, light and dark', async () => {
    for (const colorScheme of ['light', 'dark']) {
      const page = await openPage(browser, engine, { colorScheme });
      engine.session = person();
      await page.goto(`${engine.url}/console/#/messages`);
      const button = page.getByRole('button', { name: 'Search' });
      await button.hover();
      const ratio = await button.evaluate((element) => {
        const canvas = new OffscreenCanvas(1, 1).getContext('2d');
        const light = (color) => {
          canvas.fillStyle = color;
          canvas.fillRect(0, 0, 1, 1);
          const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((one) => (one / 255 <= 0.04045 ? one / 255 / 12.92 : ((one / 255 + 0.055) / 1.055) ** 2.4));
          return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const style = getComputedStyle(element);
        const [a, b] = [light(style.color), light(style.backgroundColor)].sort((x, y) => y - x);
        return (a + 0.05) / (b + 0.05);
      });
      check(ratio >= 4.5, `${colorScheme}: ${ratio.toFixed(2)}`);
      await closePage(page);
    }
  });
  engine.stop();
}
