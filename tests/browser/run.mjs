// run.mjs PACKED SCREENSHOTS [NAME]: all suites, or those whose name contains NAME. Ends with "N passed, N failed".
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { firstPaint } from './first_paint.mjs';
import { check, results, startBrowser, test } from './support.mjs';

const [packed, folder, only = ''] = process.argv.slice(2);
const suites = readdirSync(new URL('./suite', import.meta.url)).filter((name) => name.endsWith('.mjs') && name.includes(only)).sort();
check(suites.length > 0, `no suite is called ${only}`);

const kSideBySide = 3;
const kBudget = 300 * 1024; // bytes of the console, gzip'd

await test('the console is at most 300 kB and all of it is gzip', () => {
  const files = readdirSync(packed, { recursive: true }).map((name) => join(packed, name)).filter((name) => statSync(name).isFile());
  const total = files.reduce((sum, name) => sum + statSync(name).size, 0);
  console.log(`      ${files.length} files, ${total} bytes`);
  check(total > 0 && total <= kBudget, `${total} bytes`);
  check(files.every((name) => name.endsWith('.gz') && readFileSync(name).readUInt16BE(0) === 0x1f8b), 'a file is not gzip');
});

const browser = await startBrowser(folder);
try {
  if (only === '') await firstPaint(browser, packed);
  // A few side by side: most of a test is waiting for the page to draw.
  const waiting = [...suites].reverse();
  const work = async () => {
    for (let name = waiting.shift(); name; name = waiting.shift()) await (await import(`./suite/${name}`)).run({ browser, packed, folder });
  };
  await Promise.all(Array.from({ length: kSideBySide }, work));
} finally {
  await browser.close();
}
console.log(`${results.passed} passed, ${results.failed} failed`);
process.exit(results.failed === 0 && results.passed > 0 ? 0 : 1);
