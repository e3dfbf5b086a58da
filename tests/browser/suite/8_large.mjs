// A message of 20 MB in the viewer: pages come as they are needed, few nodes are drawn, nothing freezes.
import { MockEngine } from '../mock/server.mjs';
import { check, closePage, openPage, test, waitFor } from '../support.mjs';

const kNodesMax = 25_000; // 400 segments with their fields and components
const kRowsMax = 400; // lines of the raw text in the document at once

/** The longest task of the page since the last question, ms: recorded, for a busy machine says nothing. */
const longest = (page) =>
  page.evaluate(() => {
    const max = Math.max(0, ...window.longTasks);
    window.longTasks = [];
    return Math.round(max);
  });

export async function run({ browser, packed }) {
  await test('a message of 20 MB: segments in pages, raw text line by line, to its end', async () => {
    const engine = await new MockEngine(packed, { messages: 5000 }).start();
    const page = await openPage(browser, engine);
    await page.addInitScript(() => {
      window.longTasks = [];
      new PerformanceObserver((list) => window.longTasks.push(...list.getEntries().map((one) => one.duration))).observe({ type: 'longtask', buffered: true });
    });
    await page.goto(`${engine.url}/console/#/message/4995/content`);
    await page.getByRole('button', { name: 'Show the content' }).waitFor();
    await longest(page);
    await page.getByRole('button', { name: 'Show the content' }).click();
    await page.getByText(/200 of \d+ segments/).waitFor();
    await page.getByText('5.0 MB in all, see Raw').waitFor();
    const figures = { segments: await longest(page) };
    await page.getByRole('button', { name: 'More' }).click();
    await page.getByText(/400 of \d+ segments/).waitFor();
    figures['200 more'] = await longest(page);
    const nodes = await page.evaluate(() => document.querySelectorAll('*').length);
    check(nodes < kNodesMax, `${nodes} nodes`);
    await page.getByRole('tab', { name: 'Raw' }).click();
    const raw = page.getByRole('region', { name: 'Raw message' });
    await raw.waitFor();
    await page.getByText(/^262 kB of 20\.0 MB/).waitFor();
    figures.raw = await longest(page);
    await page.getByRole('button', { name: 'Load all of it' }).click();
    await page.getByText(/^20\.0 MB, UTF-8/).waitFor({ timeout: 60_000 });
    figures['all of it'] = await longest(page);
    await raw.focus();
    await page.keyboard.press('End');
    await waitFor('the end is in sight', async () => (await raw.innerText()).includes('OBX|2'));
    await page.keyboard.press('PageUp');
    figures.scrolling = await longest(page);
    const rows = await raw.evaluate((box) => box.textContent.split('\n').length);
    check(rows < kRowsMax, `${rows} lines are drawn`);
    console.log(`      longest task, ms: ${JSON.stringify(figures)}; ${nodes} nodes`);
    await closePage(page);
    engine.stop();
  });
}
