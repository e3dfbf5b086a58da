// real.mjs URL TOKEN SCREENSHOTS: the console on a running engine that has taken the samples of the quickstart site.
import { check, checkAccess, closePage, openPage, results, screenshot, startBrowser, test, waitFor } from './support.mjs';

const [url, token, folder] = process.argv.slice(2);
const kPassword = 'a long enough pass phrase';
const browser = await startBrowser(folder);
const page = await openPage(browser, { url });
page.setDefaultTimeout(30_000); // a debug build checks the whole library of maps for each answer
page.expected = /401/; // before the login

async function visit(path, name) {
  await page.goto(`${url}/console/#/${path}`);
  await page.locator('#main h1').first().waitFor();
  const guard = page.getByRole('button', { name: 'Show the content' });
  if (/content|exchange|edit|fhir/.test(path) && (await guard.count()) > 0) await guard.click();
  await page.waitForFunction(() => !document.querySelector('#main')?.textContent.includes('Loading…'));
  await page.waitForTimeout(250);
  await screenshot(page, folder, `real-${name}`);
  // A note of an alert that fires meanwhile is no fault of the page.
  const errors = await page.locator('.message-box.bad:not(.toasts *)').allInnerTexts();
  check(errors.length === 0, `${path}: ${errors.join(' | ')}`);
}

async function faultless() {
  const faults = page.faults.splice(0);
  check(faults.length === 0, faults.join('\n      '));
}

async function real(name, body) {
  await test(`engine: ${name}`, async () => {
    page.faults.length = 0;
    await body();
    await faultless();
  });
}

await real('first account with the token of the start', async () => {
  await page.goto(`${url}/`);
  await page.getByLabel('One-time token').fill(token);
  await page.getByLabel('User').fill('ann');
  await page.getByLabel('Your name').fill('Ann <b>Berg</b>');
  await page.getByLabel('Password', { exact: true }).fill(kPassword);
  await page.getByLabel('Password again').fill(kPassword);
  await page.keyboard.press('Enter');
  await page.locator('.verdict').waitFor();
  page.expected = /a^/;
});

await real('dashboard: channels with counts, live', async () => {
  await visit('dashboard', 'dashboard');
  await page.locator('.channels').getByRole('link', { name: 'adt_in' }).waitFor();
  await waitFor('live', async () => (await page.locator('.bar').innerText()).includes('live'));
  const received = await page.locator('.channels tbody tr', { hasText: 'adt_in' }).first().locator('td.num').nth(1).innerText();
  check(Number(received) > 0, `adt_in has received ${received}`);
  await checkAccess(page, 'dashboard');
});

await real('pause and resume a channel', async () => {
  for (const action of ['Pause', 'Resume']) {
    await page.getByRole('button', { name: 'Control lab_in' }).click();
    await page.getByRole('dialog').getByRole('button', { name: action, exact: true }).click();
    await page.getByRole('dialog').getByRole('button', { name: action, exact: true }).click();
    await page.getByText(`lab_in: ${action.toLowerCase()} done`).waitFor();
    await page.waitForTimeout(1200);
  }
});

let id = 0;
await real('search finds the admissions; the list opens one', async () => {
  await visit('messages?q=channel:adt_in', 'messages');
  await page.getByRole('grid').waitFor();
  await page.locator('.list-row a').last().click();
  await page.getByRole('heading', { name: /^Message \d+/ }).waitFor();
  id = Number(/message\/(\d+)/.exec(page.url())[1]);
});

await real('a message: why, timeline, content, lineage both ways', async () => {
  await visit(`message/${id}`, 'message');
  check((await page.locator('.steps li').count()) > 0, 'why has no steps');
  await visit(`message/${id}/content`, 'message-content');
  await page.getByRole('button', { name: /^MSH-9 Message Type/ }).waitFor();
  const value = page.locator('.values button').filter({ hasText: 'birthDate' }).first();
  await value.click();
  await page.locator('.hl7-field .marked').first().waitFor();
  await page.getByRole('tab', { name: 'Tree' }).click();
  await page.locator('.tree').first().waitFor();
  await page.getByRole('tab', { name: 'Raw' }).click();
  await page.getByLabel('Raw message').waitFor();
  await screenshot(page, folder, 'real-message-lineage');
  await checkAccess(page, 'content');
});

await real('a message: what was sent; edit and check; replay dry run', async () => {
  await visit(`message/${id}/exchange`, 'message-exchange');
  await visit(`message/${id}/edit`, 'message-edit');
  const editor = page.getByLabel('Message', { exact: true });
  await editor.fill((await editor.inputValue()).replace(/^PV1\|/m, 'NTE|1||edited\nPV1|'));
  await page.getByRole('button', { name: 'Check' }).click();
  await page.getByText(/can(not)? be sent/).waitFor();
  await page.getByRole('button', { name: 'Replay…' }).click();
  await page.getByRole('dialog').getByLabel('wherever its map sends it').check();
  await page.getByRole('dialog').getByRole('button', { name: 'Dry run' }).click();
  await page.getByRole('dialog').getByText(/Dry run: 1 message match/).waitFor();
  await page.getByRole('dialog').getByRole('button', { name: 'Close' }).click();
});

await real('channels: picture and configuration', async () => {
  await visit('channels', 'channels');
  await page.locator('.picture .node').first().waitFor();
  await page.getByRole('tab', { name: 'Check, reload and versions' }).click();
  await page.getByText('the files on disk are what runs').waitFor({ timeout: 60_000 });
  await screenshot(page, folder, 'real-config');
  check((await page.locator('.message-box.bad:not(.toasts *)').count()) === 0, 'an error on the page');
  await visit('channels/adt_in', 'channel');
});

await real('playground: a map runs on a sample; the language server finds a mistake and completes', async () => {
  await visit('playground', 'playground');
  await page.locator('.values button').first().waitFor();
  await page.getByLabel(/^Editor of/).click();
  await page.keyboard.press('Control+End');
  await page.keyboard.type('\nmap broken(');
  await page.locator('.cm-lintRange-error').first().waitFor({ timeout: 60_000 });
  await page.getByRole('button', { name: 'Forget the draft' }).click();
  await page.getByRole('button', { name: 'Run the tests' }).click();
  await page.getByText(/\d+ of \d+ passed/).waitFor({ timeout: 60_000 });
  await screenshot(page, folder, 'real-playground-tests');
});

await real('FHIR browser: search, resource, history', async () => {
  await visit('fhir', 'fhir');
  await page.getByRole('button', { name: 'Search' }).click();
  await page.getByRole('link', { name: /^Patient\// }).first().click();
  await page.getByText('"Patient"').first().waitFor();
  await page.getByText(/^version 1/).first().waitFor();
  await screenshot(page, folder, 'real-resource');
});

for (const name of ['quarantine', 'jobs', 'connections', 'alerts', 'storage', 'settings', 'settings/tokens', 'settings/certificates', 'settings/logs'])
  await real(`page ${name} has its data`, () => visit(name, name.replace('/', '-')));

await real('audit: what was done is there, the chain is whole', async () => {
  await visit('audit', 'audit');
  await page.getByRole('button', { name: 'Verify the chain' }).click();
  await page.getByText('unbroken').first().waitFor();
});

await real('log levels: one is set and ended', async () => {
  await visit('settings/logs', 'logs');
  const dialog = page.getByRole('dialog');
  await page.getByRole('button', { name: 'Set a level…' }).click();
  await dialog.getByLabel('Log from').selectOption('error');
  await dialog.getByRole('button', { name: 'Set', exact: true }).click();
  await page.getByText('Everything from error on is logged').waitFor();
  await page.getByRole('button', { name: 'End the level of every channel' }).click();
  await dialog.getByRole('button', { name: 'End now', exact: true }).click();
  await page.getByText('No channel has a level of its own.').waitFor();
});

await real('settings: an account and a token; log off and on', async () => {
  await visit('settings/users', 'users');
  await page.getByRole('button', { name: 'New account…' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('User').fill('ben');
  await dialog.getByLabel('Name').fill('Ben Ohm');
  await dialog.getByLabel('First password').fill('another long pass phrase');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('button', { name: 'Change ben' }).waitFor();
  await page.getByRole('button', { name: 'Log off' }).click();
  await page.getByLabel('User').fill('ann');
  await page.getByLabel('Password').fill(kPassword);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1 }).waitFor();
});

await test('engine: no fault in all of it', () => closePage(page));
await browser.close();
console.log(`${results.passed} passed, ${results.failed} failed`);
process.exit(results.failed === 0 && results.passed > 0 ? 0 : 1);
