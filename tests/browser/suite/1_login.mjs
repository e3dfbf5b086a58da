// First account, login, second factor, lock-out, end of a session, rights.
import { MockEngine, person } from '../mock/server.mjs';
import { check, checkAccess, closePage, openPage, screenshot, test, waitFor } from '../support.mjs';

const kRefused = /401|429/;

export async function run({ browser, packed, folder }) {
  const open = async (change) => {
    const engine = await new MockEngine(packed, { messages: 300 }).start();
    change(engine);
    const page = await openPage(browser, engine);
    page.expected = kRefused;
    await page.goto(`${engine.url}/console/`);
    return { engine, page };
  };
  const end = async ({ engine, page }) => {
    await closePage(page);
    engine.stop();
  };

  await test('the first account is made with the one-time token', async () => {
    const at = await open((engine) => Object.assign(engine, { session: null, setup: true }));
    const { page } = at;
    await checkAccess(page, 'first account');
    await screenshot(page, folder, 'first-account-light');
    await page.getByLabel('One-time token').fill('WRONG');
    await page.getByLabel('User').fill('ann');
    await page.getByLabel('Your name').fill('Ann Berg');
    await page.getByLabel('Password', { exact: true }).fill('a long pass phrase');
    check(await page.getByRole('button', { name: 'Create the account' }).isDisabled(), 'the second password is not asked for');
    await page.getByLabel('Password again').fill('a long pass phrase');
    await page.keyboard.press('Enter');
    await page.getByText('the token is wrong').waitFor();
    await page.getByText('Start kiln again').waitFor();
    await page.getByLabel('One-time token').fill('ONE-TIME');
    await page.keyboard.press('Enter');
    await page.getByText('2 problems, worst').waitFor();
    await end(at);
  });

  await test('login: wrong password, lock-out with its time, second factor, log off', async () => {
    const at = await open((engine) => Object.assign(engine, { session: null, totp: true }));
    const { engine, page } = at;
    await checkAccess(page, 'login');
    await screenshot(page, folder, 'login-light');
    await page.getByLabel('User').fill('ann');
    await page.getByLabel('Password').fill('wrong');
    await page.keyboard.press('Enter');
    await page.getByText('user or password is wrong').waitFor();
    await page.getByLabel('Password').fill('locked');
    await page.keyboard.press('Enter');
    await page.getByText('Try again in 60 s.').waitFor();
    await page.getByLabel('Password').fill('right');
    await page.keyboard.press('Enter');
    await page.getByLabel('Code').fill('123456');
    await page.keyboard.press('Enter');
    await page.getByText('2 problems, worst').waitFor();
    await page.getByRole('button', { name: 'Log off' }).click();
    await page.getByRole('button', { name: 'Log in' }).waitFor();
    check(engine.streams.size === 0, 'the event stream is still open');
    await end(at);
  });

  await test('a session that ends shows the login, and then the same page again', async () => {
    const at = await open(() => undefined);
    const { engine, page } = at;
    await page.goto(`${engine.url}/console/#/messages?q=state:quarantined`);
    await page.getByRole('grid').waitFor();
    engine.session = null;
    engine.dropStreams();
    await page.getByRole('button', { name: 'Search' }).click();
    await page.getByLabel('User').fill('ann');
    await page.getByLabel('Password').fill('right');
    await page.keyboard.press('Enter');
    await page.getByRole('grid').waitFor();
    check((await page.getByLabel('Query', { exact: true }).inputValue()) === 'state:quarantined', 'the query is lost');
    await end(at);
  });

  await test('a viewer sees neither content nor actions; emergency access opens the content', async () => {
    const at = await open((engine) => Object.assign(engine, { session: person(['view']) }));
    const { engine, page } = at;
    await page.getByText('2 problems, worst').waitFor();
    check((await page.getByRole('button', { name: /^Control/ }).count()) === 0, 'a viewer may control channels');
    check((await page.getByRole('link', { name: 'Audit' }).count()) === 0, 'a viewer sees the audit page');
    await page.goto(`${engine.url}/console/#/audit`);
    await page.getByText('does not hold the right').waitFor();
    await page.goto(`${engine.url}/console/#/message/4/content`);
    await page.getByText('does not see message content').waitFor();
    await page.getByRole('button', { name: 'Emergency access…' }).click();
    check(await page.getByRole('button', { name: 'Open for 30 minutes' }).isDisabled(), 'no reason is asked for');
    await page.getByLabel('Reason').fill('patient in resuscitation');
    await page.getByRole('button', { name: 'Open for 30 minutes' }).click();
    await page.getByText('emergency access until').waitFor();
    check(engine.called('POST', '/session/break-glass')[0].body.reason === 'patient in resuscitation', 'the reason is not sent');
    await page.getByRole('button', { name: 'Show the content' }).click();
    await page.getByRole('button', { name: /^PID-5 Patient Name/ }).waitFor();
    await end(at);
  });

  await test('an engine that does not answer is said so, and the console comes back', async () => {
    const at = await open((engine) => Object.assign(engine, { silent: true }));
    const { engine, page } = at;
    page.expected = /401|Failed to load|ERR_|503/;
    await page.getByText('2 problems, worst').waitFor();
    await page.getByText(/no data for/).waitFor({ timeout: 30_000 });
    await page.getByText('unknown').waitFor();
    check((await page.locator('.stale').count()) > 0, 'old data is not grey');
    await screenshot(page, folder, 'stale-light');
    engine.dropStreams(true);
    engine.silent = false;
    await waitFor('live again', async () => (await page.locator('.bar').getByText(/^✓live$/).count()) > 0, 30_000);
    await end(at);
  });
}
