// A real browser on a leash of lines: each line of stdin is a request in JSON, each line of stdout its answer. tests/browsers.py holds it.
// node browser.mjs '{"executable": ..., "args": [...]}'

import readline from "node:readline";
import { chromium } from "playwright-core";

const { executable, args } = JSON.parse(process.argv[2]);
const browser = await chromium.launch({ executablePath: executable, args, handleSIGINT: false });
const pages = new Map();

/** Of somebody on this machine who has made or removed a network: no fault of a page. */
const isOfTheNetwork = (said) => said.includes("ERR_NETWORK_CHANGED");

/** What is answered for each request. */
const ACTS = {
  async open({ page, url, patience, ...options }) {
    const context = await browser.newContext(options);
    context.setDefaultTimeout(patience);
    const opened = await context.newPage();
    const said = [];
    opened.on("console", (message) => message.type() === "error" && said.push(message.text()));
    opened.on("pageerror", (error) => said.push(`${error}`));
    opened.on("requestfailed", (request) => said.push(`Error: ${request.url()}: ${request.failure().errorText}`));
    pages.set(page, { page: opened, said });
    await opened.goto(url);
    while (said.some(isOfTheNetwork)) {
      said.length = 0;
      await opened.reload();
    }
  },
  said: ({ page }) => pages.get(page).said.filter((each) => !isOfTheNetwork(each)),
  evaluate: ({ page, expression }) => pages.get(page).page.evaluate(expression),
  /** Asked again and again from here: playwright's own way evaluates strings within the page, which its policy forbids. */
  async until({ page, expression, patience }) {
    const end = Date.now() + patience;
    for (;;) {
      const value = await pages.get(page).page.evaluate(expression);
      if (value) return value;
      if (Date.now() > end) throw new Error(`this never happened: ${expression}; ${pages.get(page).said.join("; ")}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  },
  click: ({ page, selector }) => pages.get(page).page.click(selector),
  down: ({ page, key }) => pages.get(page).page.keyboard.down(key),
  up: ({ page, key }) => pages.get(page).page.keyboard.up(key),
  press: ({ page, key }) => pages.get(page).page.keyboard.press(key),
  /** The mouse's button on an element; `how` is down or up. */
  async mouse({ page, selector, how }) {
    const { page: opened } = pages.get(page);
    await opened.hover(selector);
    await opened.mouse[how]();
  },
  screenshot: ({ page, path, selector }) => pages.get(page).page.locator(selector).screenshot({ path }).then(() => null),
  close: ({ page }) => pages.get(page).page.context().close(),
};

console.log(JSON.stringify({ result: browser.version() }));
for await (const line of readline.createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  try {
    console.log(JSON.stringify({ result: (await ACTS[request.act](request)) ?? null }));
  } catch (error) {
    console.log(JSON.stringify({ error: `${error.message}` }));
  }
}
await browser.close();
