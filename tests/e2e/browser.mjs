// A person at the chat page: node browser.mjs <folder with node_modules> <chromium> <folder for its profile>; on stdin the
// sign-in link, the collection and the questions. Prints what was seen.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const [folder, executablePath, userDataDir] = process.argv.slice(2);
const puppeteer = createRequire(`${folder}/package.json`)("puppeteer-core");
const { link, collection, said, absent, markup } = JSON.parse(readFileSync(0, "utf8"));
const TIMEOUT = 60_000;

// A pipe, so that the browser goes when this process goes, however that is. Nothing of it lands in whoever's home. Root has
// no sandbox, and containers little /dev/shm.
const browser = await puppeteer.launch({
  executablePath,
  userDataDir,
  env: { ...process.env, HOME: userDataDir, XDG_CONFIG_HOME: userDataDir, XDG_CACHE_HOME: userDataDir },
  pipe: true,
  args: ["--disable-dev-shm-usage", ...(process.getuid() === 0 ? ["--no-sandbox"] : [])],
});
const page = await browser.newPage();
page.setDefaultTimeout(TIMEOUT);
const found = { errors: [], types: [] };
page.on("console", (message) => {
  if (["error", "warn"].includes(message.type())) found.errors.push(`${message.text()} ${message.location().url ?? ""}`);
});
page.on("pageerror", (error) => found.errors.push(String(error)));
page.on("dialog", (dialog) => { found.errors.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
page.on("response", (response) => {
  if (response.request().method() !== "POST" || !response.url().endsWith("/ag-ui")) return;
  found.types.push(response.headers()["content-type"]);
});

const chatReady = () => page.waitForSelector("#chat[data-ready=true]");

// The answer to it once all of it is there, as somebody sees it.
async function ask(question) {
  await page.type("#question", question);
  await page.keyboard.press("Enter");
  await page.waitForSelector("#messages > li.answer:last-child:not([aria-busy])");
  return read();
}

const read = () => page.$eval("#messages", (list) => ({
  question: list.querySelector(":scope > li.question:nth-last-child(2)").innerText,
  text: list.querySelector(":scope > li:last-child .text").innerText,
  all: list.lastElementChild.innerText,
  marks: [...list.querySelectorAll(":scope > li:last-child .text a")].map(({ innerText }) => innerText),
  elements: [...new Set([...list.querySelectorAll("*")].map(({ localName }) => localName))].sort(),
}));

try {
  await page.goto(link);
  await Promise.all([page.waitForNavigation(), page.click("nav a[href='/ag-ui']")]);
  await chatReady();
  await page.select("#collection", collection);
  found.said = await ask(said);

  await Promise.all([page.waitForNavigation(), page.click("#messages .text a")]);
  await page.waitForFunction(() => {
    const player = document.getElementById("player");
    return player.readyState >= 2 && !player.seeking && document.querySelector("#transcript .current");
  });
  found.recording = await page.evaluate(() => ({
    address: location.pathname + location.search,
    title: document.querySelector("h1").innerText,
    seconds: document.getElementById("player").currentTime,
    line: document.querySelector("#transcript .current").innerText,
  }));

  await page.goBack();
  await chatReady();
  found.again = await read();
  found.absent = await ask(absent);
  found.markup = await ask(markup);
  await page.reload();
  await chatReady();
  found.reloaded = await read();
} catch (error) {
  const shown = await page.evaluate(() => `${location.href}\n${document.body.innerText}`).catch(String);
  throw new Error(`${error.message}\n${shown}\n${found.errors.join("\n")}`, { cause: error });
} finally {
  await browser.close();
}
console.log(JSON.stringify(found));
