// Markup in every field that comes from outside must stay text, on every page that shows it.
import { kMarkup } from '../mock/hl7.mjs';
import { MockEngine } from '../mock/server.mjs';
import { check, closePage, openPage, test } from '../support.mjs';

const kEnd = 'onerror="window.pwned=1"';

export async function run({ browser, packed }) {
  const engine = await new MockEngine(packed, { messages: 400 }).start();
  const [adt] = engine.channels;
  adt.name = kMarkup;
  adt.source.last_error = kMarkup;
  Object.assign(adt.destinations[0], { name: kMarkup, last_failure: kMarkup, pending: 3 });
  engine.status.problems.push({ level: 'bad', channel: kMarkup, text: kMarkup, doing: kMarkup, can: kMarkup });
  engine.status.insecure.push(kMarkup);
  const id = engine.messages.find((one) => one.hostile).id;
  const places = ['dashboard', 'messages', `message/${id}`, `message/${id}/content`, `message/${id}/exchange`, `message/${id}/edit`, 'audit', 'settings/users', 'settings/certificates', 'settings/logs', 'channels', `channels/${encodeURIComponent(kMarkup)}`, 'fhir', 'playground'];
  for (const place of places)
    await test(`markup stays text: ${place.slice(0, 40)}`, async () => {
      const page = await openPage(browser, engine);
      await page.goto(`${engine.url}/console/#/${place}`);
      if (/content|exchange|edit|fhir/.test(place)) await page.getByRole('button', { name: 'Show the content' }).click();
      if (place === 'fhir') await page.getByRole('button', { name: 'Search' }).click();
      if (place === 'playground') {
        await page.getByLabel(/^Editor of/).click();
        await page.keyboard.type('@@');
        await page.locator('.cm-lintRange-error').first().hover();
      }
      const field = place.endsWith('/edit') ? page.getByLabel('Message', { exact: true }) : page.getByText(kEnd).first();
      await field.waitFor();
      if (place.endsWith('/edit')) check((await field.inputValue()).includes(kEnd), 'the field is not shown');
      check((await page.locator('img').count()) === 0, 'markup became an element');
      await closePage(page);
    });
  engine.stop();
}
