// The browser, and the checks that hold for every page.
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(`${process.env.KILN_BROWSER_MODULES}/`);
const { chromium } = require('playwright-core');
const axeText = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

export const results = { passed: 0, failed: 0 };

/** KILN_ONLY in the environment: tests whose name contains it. */
export async function test(name, body) {
  if (process.env.KILN_ONLY && !name.includes(process.env.KILN_ONLY)) return;
  const begin = performance.now();
  try {
    await body();
    results.passed += 1;
    console.log(`ok    ${name} (${Math.round(performance.now() - begin)} ms)`);
  } catch (error) {
    results.failed += 1;
    console.log(`FAIL  ${name}\n      ${String(error.stack ?? error).split('\n').slice(0, 9).join('\n      ')}`);
  }
}

export function check(condition, text) {
  if (!condition) throw new Error(text);
}

export async function startBrowser(folder) {
  mkdirSync(folder, { recursive: true });
  return chromium.launch({
    executablePath: process.env.KILN_CHROMIUM ?? '/usr/bin/chromium',
    args: ['--headless=new', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
}

/** A page that fails the test on a console error, an uncaught exception, a request that leaves the engine, or a policy violation. */
export async function openPage(browser, engine, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1360, height: 850 }, colorScheme: 'light', locale: 'en-GB', acceptDownloads: true, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000); // of a busy machine
  page.faults = [];
  page.expected = /a^/; // console errors that the test provokes
  page.on('console', (message) => {
    if (message.type() === 'error' && !page.expected.test(message.text())) page.faults.push(`console: ${message.text()} (${message.location().url})`);
  });
  page.on('pageerror', (error) => page.faults.push(`exception: ${error.message}`));
  page.on('request', (request) => {
    if (!request.url().startsWith(engine.url) && !request.url().startsWith('blob:')) page.faults.push(`request to ${request.url()}`);
  });
  return page;
}

export async function closePage(page) {
  const pwned = await page.evaluate(() => window.pwned);
  const faults = [...page.faults, ...(pwned ? ['markup of a message ran as a script'] : [])];
  await page.context().close();
  check(faults.length === 0, faults.join('\n      '));
}

/** axe-core runs outside of the page's own content security policy. */
export async function checkAccess(page, name) {
  await page.evaluate(axeText);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  const serious = violations.filter((one) => one.impact === 'serious' || one.impact === 'critical');
  check(serious.length === 0, `${name}: ${serious.map((one) => `${one.id}: ${one.help}: ${one.nodes.slice(0, 3).map((node) => `${node.target} ${node.any[0]?.message ?? ''}`).join(' ; ')}`).join('\n      ')}`);
}

export async function screenshot(page, folder, name) {
  await page.screenshot({ path: join(folder, `${name}.png`) });
}

export async function waitFor(what, condition, milliseconds = 30_000) {
  const end = performance.now() + milliseconds;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not within ${milliseconds} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}
