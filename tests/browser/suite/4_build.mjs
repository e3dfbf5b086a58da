// Playground, FHIR browser, audit, settings, keyboard, theme.
import { MockEngine } from '../mock/server.mjs';
import { check, closePage, openPage, test, waitFor } from '../support.mjs';

export async function run({ browser, packed }) {
  const engine = await new MockEngine(packed, { messages: 5000 }).start();
  const on = (path, body, options) => async () => {
    const page = await openPage(browser, engine, options);
    engine.calls.length = 0;
    await page.goto(`${engine.url}/console/#/${path}`);
    await body(page);
    await closePage(page);
  };
  const last = (method, path) => engine.called(method, path).at(-1)?.body;

  await test('playground: output and lineage, live diagnostics, completion, tests on the draft', on('playground', async (page) => {
    await page.getByRole('button', { name: 'Patient.birthDate' }).waitFor();
    const editor = page.getByLabel('Editor of maps/admissions.hmap');
    await editor.click();
    await page.keyboard.press('Control+End');
    await page.keyboard.type('@@ wrong');
    await page.locator('.cm-lintRange-error').waitFor();
    await page.getByText('expected a value').first().waitFor();
    await page.getByText('draft of 1 file, not saved').waitFor();
    await waitFor('the draft is run', () => last('POST', '/playground/run')?.files?.['maps/admissions.hmap']?.includes('@@ wrong'));
    for (let n = 0; n < 8; n++) await page.keyboard.press('Backspace');
    await page.keyboard.type('b');
    await page.keyboard.press('Control+Space');
    await page.locator('.cm-tooltip-autocomplete').getByText('birthDate').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Run the tests' }).click();
    await page.getByText('1 of 2 passed').waitFor();
    await page.getByText('"1980-01-01"').waitFor();
    await page.getByRole('button', { name: 'Forget the draft' }).click();
    await waitFor('forgotten', async () => (await page.getByText('draft of').count()) === 0);
    check(engine.calls.every((one) => one.path.startsWith('/playground')), 'the playground changed something');
  }));

  await test('FHIR browser: search from the capabilities, resource, history difference, validate', on('fhir', async (page) => {
    await page.getByRole('button', { name: 'Show the content' }).click();
    await page.getByLabel('Parameter 1', { exact: true }).fill('name');
    await page.getByText('any part of the name').waitFor();
    await page.getByLabel('Value 1').fill('exam');
    await page.getByText('GET /fhir/Patient?name=exam').waitFor();
    await page.getByRole('button', { name: 'Search' }).click();
    await page.getByRole('link', { name: 'Patient/1' }).click();
    await page.getByText('"Organization/9"').waitFor();
    await page.locator('.added', { hasText: 'birthDate' }).waitFor();
    await page.getByLabel('Older version').selectOption({ label: 'version 1' });
    await page.locator('.removed', { hasText: 'EXAMPEL' }).waitFor();
    await page.getByRole('link', { name: 'FHIR', exact: true }).click();
    await page.getByRole('tab', { name: 'Validate' }).click();
    await page.getByLabel('JSON').fill('{ nonsense');
    await page.getByRole('button', { name: 'Validate' }).click();
    await page.getByText('Paste one FHIR resource as JSON.').waitFor();
    await page.getByLabel('JSON').fill('{"resourceType":"Patient"}');
    await page.getByRole('button', { name: 'Validate' }).click();
    await page.getByText('dom-6: no narrative').waitFor();
  }));

  await test('audit: filter and verify', on('audit', async (page) => {
    await page.getByText('channel.pause').first().waitFor();
    await page.getByPlaceholder('User').fill('ben');
    await page.keyboard.press('Enter');
    await waitFor('filtered', async () => (await page.locator('td', { hasText: /^ann$/ }).count()) === 0);
    await page.getByRole('button', { name: 'Verify the chain' }).click();
    await page.getByText('the chain is unbroken').waitFor();
  }));

  await test('settings: second factor, password, accounts, tokens, certificates', on('settings', async (page) => {
    await page.getByRole('button', { name: 'Set it up' }).click();
    await page.getByText('JBSW Y3DP EHPK 3PXP').waitFor();
    await page.getByLabel('Code').fill('123456');
    await page.getByRole('button', { name: 'Switch it on' }).click();
    await page.getByText('The second factor is on.').waitFor();
    await page.getByLabel('Password now').fill('right');
    await page.getByLabel('New password', { exact: true }).fill('another pass phrase');
    await page.getByLabel('New password again').fill('another pass phrase');
    await page.getByRole('button', { name: 'Change the password' }).click();
    await page.getByText('The password is changed.').waitFor();
    check(last('POST', '/session/password').new === 'another pass phrase', 'another password');
    await page.getByRole('tab', { name: 'Users and roles' }).click();
    const dialog = page.getByRole('dialog');
    await page.getByRole('button', { name: 'New account…' }).click();
    await dialog.getByLabel('User').fill('cleo');
    await dialog.getByLabel('Name').fill('Cleo Dorn');
    await dialog.getByLabel('Role').selectOption('operator');
    await dialog.getByLabel('sees message content').check();
    await dialog.getByLabel('First password').fill('first pass phrase');
    await dialog.getByRole('button', { name: 'Save' }).click();
    await waitFor('made', () => last('POST', '/users') !== undefined);
    check(JSON.stringify(last('POST', '/users')) === JSON.stringify({ user: 'cleo', name: 'Cleo Dorn', role: 'operator', phi_view: true, password: 'first pass phrase' }), 'another account');
    await page.getByRole('button', { name: 'Unlock ben' }).click();
    await dialog.getByRole('button', { name: 'Unlock' }).click();
    await waitFor('unlocked', () => last('PATCH', '/users/ben')?.unlock === true);
    await page.getByRole('button', { name: 'Remove ben' }).click();
    await dialog.getByRole('button', { name: 'Remove' }).click();
    await waitFor('removed', () => engine.called('DELETE', '/users/ben').length === 1);
    await page.getByRole('tab', { name: 'API tokens' }).click();
    await page.getByRole('button', { name: 'New token…' }).click();
    await dialog.getByLabel('Name').fill('grafana');
    await dialog.getByRole('button', { name: 'Make it' }).click();
    await dialog.getByText('kiln_0123456789abcdef').waitFor();
    await dialog.getByRole('button', { name: 'Close' }).click();
    await page.getByRole('button', { name: 'Revoke prometheus' }).click();
    await dialog.getByRole('button', { name: 'Revoke' }).click();
    await waitFor('revoked', () => engine.called('DELETE', '/tokens/t1').length === 1);
    await page.getByRole('tab', { name: 'Certificates and protection' }).click();
    await page.getByText('CN=kiln.north.example').waitFor();
  }));

  await test('keyboard: "?" lists the shortcuts, pairs go to pages, typing is left alone', on('dashboard', async (page) => {
    await page.getByText('2 problems, worst').waitFor();
    await page.keyboard.press('?');
    await page.getByRole('dialog').getByText('Go to Quarantine').waitFor();
    await page.keyboard.press('Escape');
    await page.keyboard.press('g');
    await page.keyboard.press('q');
    await page.getByText('25 messages wait').waitFor();
    await page.keyboard.press('g');
    await page.keyboard.press('m');
    await page.getByLabel('Query', { exact: true }).click();
    await page.keyboard.type('gq?');
    check((await page.getByLabel('Query', { exact: true }).inputValue()) === 'gq?' && page.url().includes('messages'), 'a shortcut took a key of the query');
  }));

  await test('theme: as the system, by the switch, kept', on('dashboard', async (page) => {
    const shade = () => page.evaluate(() => document.documentElement.dataset.theme);
    check((await shade()) === 'dark', 'not as the system');
    await page.getByText('2 problems, worst').waitFor();
    await page.keyboard.press('t');
    check((await shade()) === 'light', 'the switch did nothing');
    await page.reload();
    check((await shade()) === 'light', 'the choice is forgotten');
  }, { colorScheme: 'dark' }));
  engine.stop();
}
