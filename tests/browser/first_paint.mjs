// First paint of the dashboard with 500 channels: three loads. The figures are for the record: a second is wanted.
import { cpus, loadavg } from 'node:os';
import { MockEngine } from './mock/server.mjs';
import { check, closePage, openPage, test } from './support.mjs';

export async function firstPaint(browser, packed) {
  await test('first paint of 500 channels', async () => {
    const engine = await new MockEngine(packed, { channels: 500, messages: 300 }).start();
    const times = [];
    for (let n = 0; n < 3; n++) {
      const page = await openPage(browser, engine);
      await page.goto(`${engine.url}/console/`);
      await page.getByText('2 problems, worst').waitFor();
      times.push(await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? Infinity));
      await closePage(page);
    }
    engine.stop();
    console.log(`      ${times.map((time) => Math.round(time)).join(', ')} ms`);
    console.log(`      ${(loadavg()[0] / cpus().length).toFixed(1)} runnable tasks a core`);
    check(times.every(Number.isFinite), 'nothing was painted');
  });
}
