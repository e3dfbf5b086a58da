// Every page in light, dark and at phone width: a screenshot, no serious finding of axe, nothing wider than the screen.
import { MockEngine } from '../mock/server.mjs';
import { check, checkAccess, closePage, openPage, screenshot, test } from '../support.mjs';

const kPages = [
  'dashboard', 'messages', 'message/4711', 'message/4990/content', 'message/4990/exchange', 'message/4990/edit', 'quarantine', 'jobs', 'connections', 'alerts',
  'channels', 'channels/orders', 'playground', 'fhir', 'fhir/Patient/1', 'storage', 'audit', 'settings', 'settings/users', 'settings/tokens', 'settings/certificates', 'settings/logs',
];
const kModes = {
  light: { colorScheme: 'light' },
  dark: { colorScheme: 'dark' },
  phone: { colorScheme: 'light', viewport: { width: 390, height: 800 }, hasTouch: true },
};

export async function run({ browser, packed, folder }) {
  const engine = await new MockEngine(packed).start();
  for (const [mode, options] of Object.entries(kModes))
    await test(`all pages, ${mode}: axe and screenshots`, async () => {
      const page = await openPage(browser, engine, options);
      const faults = [];
      for (const place of kPages) {
        await page.goto(`${engine.url}/console/#/${place}`);
        await page.locator('#main h1').first().waitFor();
        const guard = page.getByRole('button', { name: 'Show the content' });
        if (/content|exchange|edit|fhir/.test(place) && (await guard.count()) > 0) await guard.click();
        await page.waitForFunction(() => !document.querySelector('#main')?.textContent.includes('Loading…'));
        await page.waitForTimeout(120);
        await screenshot(page, folder, `${place.replaceAll('/', '-')}-${mode}`);
        if (mode !== 'phone') await checkAccess(page, place).catch((error) => faults.push(error.message));
        const width = await page.evaluate(() => document.querySelector('#main').scrollWidth - document.querySelector('#main').clientWidth);
        if (width > 1) faults.push(`${place} is ${width} px wider than the screen`);
      }
      check(faults.length === 0, faults.join('\n      '));
      await closePage(page);
    });

  await test('phone: the open tab is in sight', async () => {
    const page = await openPage(browser, engine, kModes.phone);
    await page.goto(`${engine.url}/console/#/settings/logs`);
    const tab = page.getByRole('tab', { name: 'Log levels', selected: true });
    await tab.waitFor();
    const box = await tab.boundingBox();
    check(box.x >= 0 && box.x + box.width <= 391, `the tab is at ${box.x}`);
    await closePage(page);
  });

  await test('phone: the menu opens, goes to a page and closes', async () => {
    const page = await openPage(browser, engine, kModes.phone);
    await page.goto(`${engine.url}/console/`);
    await page.getByRole('button', { name: 'Menu', exact: true }).click();
    await checkAccess(page, 'menu');
    await screenshot(page, folder, 'menu-phone');
    await page.getByRole('navigation').getByRole('link', { name: /^Quarantine/ }).click();
    await page.getByText('25 messages wait').waitFor();
    check(!(await page.locator('nav.nav').evaluate((nav) => nav.classList.contains('open'))), 'the menu stays open');
    await closePage(page);
  });
  engine.stop();
}
