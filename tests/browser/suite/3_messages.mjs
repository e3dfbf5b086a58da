// Search, list, bulk; one message: why, content and lineage, what was sent, edit and resend, replay.
import { readFileSync } from 'node:fs';
import { MockEngine } from '../mock/server.mjs';
import { check, closePage, openPage, test, waitFor } from '../support.mjs';

export async function run({ browser, packed }) {
  const engine = await new MockEngine(packed, { messages: 5000 }).start();
  const on = (path, body) => async () => {
    const page = await openPage(browser, engine);
    engine.calls.length = 0;
    await page.goto(`${engine.url}/console/#/${path}`);
    await body(page);
    await closePage(page);
  };
  const last = (path) => engine.called('POST', path).at(-1)?.body;

  await test('messages: completion, saved queries, an error of the query in words', on('messages', async (page) => {
    await page.getByRole('grid').waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('sta');
    await page.getByRole('option', { name: /^state:/ }).waitFor();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.keyboard.type('quar');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Tab');
    const query = page.getByLabel('Query', { exact: true });
    check((await query.inputValue()).trim() === 'state:quarantined', `completed to ${await query.inputValue()}`);
    await page.keyboard.press('Enter');
    await page.getByText(/^24 messages ·/).waitFor();
    check(page.url().includes('q=state%3Aquarantined'), 'the query is not in the address');
    await page.getByRole('button', { name: 'Save…' }).click();
    await page.getByRole('dialog').getByLabel(/^Name for/).fill('Quarantine');
    await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
    await waitFor('kept by the engine', () => engine.queries.some((one) => one.name === 'Quarantine' && one.q === 'state:quarantined'));
    check(await page.evaluate(() => !JSON.stringify({ ...localStorage, ...sessionStorage }).includes('quarantined')), 'a query lies in the browser');
    await page.getByRole('combobox', { name: 'Saved queries' }).selectOption('Failed today');
    await page.getByText('messages').first().waitFor();
    page.expected = /422/;
    await query.fill('((state:sent');
    await page.keyboard.press('Enter');
    await page.getByText('a closing parenthesis is missing').waitFor();
    await page.getByText('Write (a OR b).').waitFor();
  }));

  await test('messages: only rows in sight are drawn, the end loads more, keys move, open and choose', on('messages', async (page) => {
    const grid = page.getByRole('grid');
    await grid.waitFor();
    check((await page.locator('.list-row').count()) < 60, 'rows out of sight are drawn');
    await page.keyboard.press('l');
    await page.keyboard.press('End');
    await page.getByText('400 messages so far').waitFor();
    await page.keyboard.press('Home');
    await page.keyboard.press('j');
    await page.keyboard.press('x');
    await page.keyboard.press('j');
    await page.keyboard.press('x');
    await page.getByText('2 chosen').waitFor();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Message 4998' }).waitFor();
    await page.goBack();
    await grid.waitFor();
  }));

  await test('messages: bulk replay is a dry run first and needs a reason; export downloads', on('messages?q=channel:orders', async (page) => {
    await page.getByRole('button', { name: 'Replay all…' }).click();
    const dialog = page.getByRole('dialog');
    check(await dialog.getByRole('button', { name: 'Replay', exact: true }).isDisabled(), 'replayed without a dry run');
    await dialog.getByLabel('lab_out').check();
    await dialog.getByRole('button', { name: 'Dry run' }).click();
    await dialog.getByText('Dry run: 20 messages match').waitFor();
    check(last('/replay').dry_run === true && last('/replay').to[0] === 'lab_out', 'not a dry run to lab_out');
    await dialog.getByLabel('Reason').fill('the lab lost them');
    await dialog.getByRole('button', { name: 'Replay', exact: true }).click();
    await dialog.getByText('19 sent, 1 skipped').waitFor();
    check(last('/replay').dry_run === false && last('/replay').query === 'channel:orders', 'not the query of the list');
    await dialog.getByRole('button', { name: 'Close' }).click();
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Export all' }).click()]);
    check(readFileSync(await download.path(), 'utf8').split('\n').length > 10, 'the export is empty');
  }));

  await test('message: why, next try, timeline, and the action that why proposes', on('message/4711', async (page) => {
    await page.getByText('The receiver refuses connections since 14 minutes').waitFor();
    await page.getByText('tries again every 60 s and keeps the order').waitFor();
    await page.getByRole('button', { name: 'Try now' }).click();
    await waitFor('asked', () => engine.calls.some((one) => one.path.endsWith('/retry-now')));
    await page.getByText('journal 2026-11-23, one commit').waitFor();
    await page.keyboard.press(']');
    await page.getByRole('heading', { name: 'Message 4712' }).waitFor();
  }));

  await test('message: content only after a click; names on hover; a value shows its field and a field its values', on('message/4990/content', async (page) => {
    await page.getByText('recorded in the audit log').waitFor();
    check(!(await page.content()).includes('19800229'), 'content is there before the click');
    await page.keyboard.press('c');
    const birth = page.getByRole('button', { name: /^PID-7 Date\/Time of Birth/ });
    await birth.waitFor();
    const named = page.locator('.pointed');
    await birth.hover();
    await named.getByText('PID-7 Date/Time of Birth').waitFor();
    await page.locator('[data-path="PID-5.2"]').hover();
    await named.getByText(/^PID-5\.2 .*in Patient Name$/).waitFor();
    // By keyboard: one stop for all fields, arrow keys between them.
    await page.getByRole('button', { name: /^MSH-2 / }).focus();
    for (const key of ['ArrowDown', 'ArrowDown', 'ArrowRight', 'ArrowRight', 'ArrowRight']) await page.keyboard.press(key);
    await named.getByText('PID-8 Administrative Sex · ST · = Female').waitFor();
    await page.keyboard.press('Enter');
    await page.locator('.values .marked', { hasText: 'Patient.gender' }).waitFor();
    await page.getByText('1 made of PID-8').waitFor();
    await page.getByRole('button', { name: 'Patient.birthDate' }).click();
    await page.locator('.hl7-field .marked', { hasText: '19800229' }).waitFor();
    check((await page.locator('.hl7-field .marked').count()) === 1, 'other fields are marked too');
    await page.getByText('maps/admissions.hmap:18:3').waitFor();
    await page.getByRole('button', { name: /^PID-8/ }).click();
    await page.locator('.values .marked', { hasText: 'Patient.gender' }).waitFor();
    await page.getByLabel('Filter values').fill('family');
    check((await page.locator('.values button').count()) === 1, 'the filter keeps other values');
    await page.getByRole('tab', { name: 'Unread (2)' }).click();
    await page.getByRole('button', { name: 'NK1-2.1' }).click();
    await page.getByRole('button', { name: /^NK1-2 /, pressed: true }).waitFor();
    await page.getByRole('tab', { name: 'Tree' }).click();
    await page.getByText('NEXT_OF_KIN').waitFor();
    await page.getByRole('tab', { name: 'Raw' }).click();
    await page.getByLabel('Raw message').getByText('EXAMPLE^ADA^M').waitFor();
  }));

  await test('message: requests and answers of each destination, and the difference of two texts', on('message/4990/exchange', async (page) => {
    await page.getByRole('button', { name: 'Show the content' }).click();
    await page.getByLabel('Sent to adt_in/repo').getByText('1980-02-29').waitFor();
    await page.getByLabel('Answer of adt_in/repo').getByText('MSA|AA').waitFor();
    await page.getByRole('button', { name: 'Compare' }).click();
    await page.locator('.removed', { hasText: 'PV1|1|I' }).waitFor();
    await page.getByLabel('First text').selectOption({ label: 'sent to adt_in/repo' });
    await page.getByLabel('Second text').selectOption({ label: 'what the map makes now' });
    await page.getByRole('button', { name: 'Compare' }).click();
    await page.getByText('No difference.').waitFor();
  }));

  await test('message: edit, check, resend with a reason; the segments keep their line ends', on('message/4990/edit', async (page) => {
    await page.getByRole('button', { name: 'Show the content' }).click();
    const editor = page.getByLabel('Message', { exact: true });
    const text = await editor.inputValue();
    await editor.fill(`XXX${text}`);
    await page.getByRole('button', { name: 'Check' }).click();
    await page.getByText('does not begin with MSH').waitFor();
    check(await page.getByRole('button', { name: 'Resend…' }).isDisabled(), 'a message with an error can be sent');
    await editor.fill(text.replace('EXAMPLE^ADA', 'SAMPLE^ADA'));
    await page.getByRole('button', { name: 'Check' }).click();
    await page.getByText('can be sent').waitFor();
    await page.getByRole('button', { name: 'Resend…' }).click();
    const dialog = page.getByRole('dialog');
    check(await dialog.getByRole('button', { name: 'Resend' }).isDisabled(), 'no reason is asked for');
    await dialog.getByLabel('pas').check();
    await dialog.getByLabel('Reason').fill('name was wrong');
    await dialog.getByRole('button', { name: 'Resend' }).click();
    await waitFor('sent', () => last('/messages/4990/resend') !== undefined);
    const sent = last('/messages/4990/resend');
    check(sent.body === text.replace('EXAMPLE^ADA', 'SAMPLE^ADA').replaceAll('\n', '\r'), 'the line ends are others');
    check(sent.to[0] === 'pas' && sent.reason === 'name was wrong' && sent.replaces === false, JSON.stringify(sent));
  }));

  engine.stop();
}
