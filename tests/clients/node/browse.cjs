"use strict";
// A headless Chromium, told what to do: one step a line on standard input, and one line back with what came of it.
// When the input ends, however its writer ended, so do the browser and this program, whatever they are at.

const { createInterface } = require("node:readline");
const { chromium } = require("playwright-core");

const FLAGS = [
  "--no-sandbox", // it runs as root too
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // Nobody but the test's own servers is there.
  "--no-proxy-server",
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
];
const STEP_MILLIS = 60_000;
const END_MILLIS = 5_000;

let browser, visitor;
const pages = [];
const said = new WeakMap();
const sessions = new WeakMap();

/** A page's own line to the browser: what it has set holds for as long as it is. */
async function session(page) {
  if (!sessions.has(page)) sessions.set(page, await visitor.newCDPSession(page));
  return sessions.get(page);
}

/** With a latency, or a machine without any network would have its pages believe that they are offline still. */
const conditions = (offline) => ({ offline, latency: 1, downloadThroughput: -1, uploadThroughput: -1 });

const steps = {
  start: async ({ program }) => {
    browser = await chromium.launch({ executablePath: program, headless: true, args: FLAGS, timeout: STEP_MILLIS });
    return browser.version();
  },
  /** Somebody new: nothing is kept of who was there before. */
  visitor: async () => {
    await visitor?.close();
    visitor = await browser.newContext();
    visitor.setDefaultTimeout(STEP_MILLIS);
  },
  /** A script that each of the visitor's pages runs first. */
  prepare: ({ script }) => visitor.addInitScript(script),
  offline: async ({ on }) => {
    for (const page of visitor.pages()) {
      await (await session(page)).send("Network.emulateNetworkConditions", conditions(on));
    }
  },
  open: async ({ url }) => {
    const page = await visitor.newPage();
    const lines = [];
    said.set(page, lines);
    page.on("console", (line) => line.type() === "error" && lines.push(line.text()));
    page.on("pageerror", (error) => lines.push(String(error)));
    await page.goto(url);
    return pages.push(page) - 1;
  },
  go: async ({ page, url }) => void (await pages[page].goto(url)),
  close: ({ page }) => pages[page].close(),
  run: ({ page, script }) => pages[page].evaluate(script),
  press: ({ page, key }) => pages[page].keyboard.press(key),
  write: ({ page, text }) => pages[page].keyboard.insertText(text),
  media: ({ page, ...media }) => pages[page].emulateMedia(media),
  size: ({ page, width, height }) => pages[page].setViewportSize({ width, height }),
  shot: async ({ page, file, whole }) => void (await pages[page].screenshot({ path: file, fullPage: whole })),
  /** What the page has written to the console as an error, and what it has not caught. */
  said: async ({ page }) => said.get(pages[page]),
};

async function end() {
  setTimeout(() => process.exit(1), END_MILLIS); // and the browser with it
  await browser?.close();
  process.exit();
}

async function main() {
  const lines = createInterface({ input: process.stdin });
  lines.once("close", end);
  for await (const line of lines) {
    const { step, ...given } = JSON.parse(line);
    const outcome = await steps[step](given).then(
      (value) => ({ value: value ?? null }),
      (error) => ({ error: String(error) }),
    );
    console.log(JSON.stringify(outcome));
  }
}

main();
