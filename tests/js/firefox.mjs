// Firefox on the same leash as browser.mjs, as far as a test of sound needs it; puppeteer speaks WebDriver BiDi with it.
// node firefox.mjs '{"executable": ..., "args": [...], "preferences": {...}}'

import readline from "node:readline";
import puppeteer from "puppeteer-core";

const { executable, args, preferences } = JSON.parse(process.argv[2]);
const browser = await puppeteer.launch({
  browser: "firefox",
  executablePath: executable,
  args,
  extraPrefsFirefox: preferences,
  handleSIGINT: false,
});
const pages = new Map();

/** What is answered for each request. */
const ACTS = {
  async open({ page, url }) {
    const opened = await browser.newPage();
    pages.set(page, opened);
    await opened.goto(url);
  },
  said: () => [],
  evaluate: ({ page, expression }) => pages.get(page).evaluate(expression),
  async until({ page, expression, patience }) {
    const end = Date.now() + patience;
    for (;;) {
      const value = await pages.get(page).evaluate(expression);
      if (value) return value;
      if (Date.now() > end) throw new Error(`this never happened: ${expression}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  },
  click: async ({ page, selector }) => (await pages.get(page).$(selector.replace(" ", " >>> "))).click(),
  close: ({ page }) => pages.get(page).close(),
};

console.log(JSON.stringify({ result: await browser.version() }));
for await (const line of readline.createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  try {
    console.log(JSON.stringify({ result: (await ACTS[request.act](request)) ?? null }));
  } catch (error) {
    console.log(JSON.stringify({ error: `${error.message}` }));
  }
}
await browser.close();
