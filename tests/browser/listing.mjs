// The listing as people use it, in Chromium. See `run`.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { chromium } from "playwright-core";
import { ODD, makeTree } from "./tree.mjs";

const [servette, screenshots] = process.argv.slice(2);
const root = makeTree();
const server = spawn(servette, ["0", "-b", "127.0.0.1", "-q", "-p", "HTTP/1.1", "-d", root], { stdio: ["ignore", "pipe", "inherit"] });
const banner = await new Promise(resolve => server.stdout.once("data", data => resolve(String(data))));
const base = banner.match(/http:\/\/[^)]*/)[0].replace(/\/$/, "");
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: process.getuid() === 0 ? ["--no-sandbox"] : [],
});

const noise = [];
/// A page that notes whatever it says, and whatever it asks for besides documents of the server.
async function open(target, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1100, height: 720 }, ...options });
  const page = await context.newPage();
  page.on("console", message => noise.push(`${target}: ${message.text()}`));
  page.on("pageerror", error => noise.push(`${target}: ${error}`));
  page.on("request", request => {
    const isPage = request.resourceType() === "document" && request.url().startsWith(base);
    if (!isPage) noise.push(`${target}: asks for ${request.url()}`);
  });
  await page.goto(base + target);
  return page;
}
const rows = page => page.locator("tbody tr:visible a, li:visible a").allTextContents();
const focused = page => page.evaluate(() => document.activeElement.textContent || document.activeElement.tagName);
const shoot = async (page, name) => screenshots && page.screenshot({ path: path.join(screenshots, `${name}.png`) });

/// The body of a response, for a link as it is written.
const fetchBytes = href => new Promise((resolve, reject) => http.get(base + href, { agent: false }, response => {
  const chunks = [];
  response.on("data", chunk => chunks.push(chunk));
  response.on("end", () => resolve({ status: response.statusCode, body: Buffer.concat(chunks) }));
}).on("error", reject));

const tests = {
  async "order: links, in the URL, told to screen readers"() {
    const page = await open("/files/");
    const names = async () => (await rows(page)).map(name => name.slice(0, 9)).join(" ");
    const byName = "a name th Documents file-1 file-10 file-2 latest@ notes.txt photos/ README.md video.mp4".replace("Documents", "Documents/".slice(0, 9));
    assert.equal(await names(), byName);
    const heading = name => page.getByRole("columnheader", { name });
    const sort = async name => heading(name).getAttribute("aria-sort");
    assert.equal(await sort("Name"), "ascending");
    await page.getByRole("link", { name: "natural" }).click();
    assert.match(await names(), /file-1 file-2 file-10/);
    await page.getByRole("link", { name: "Size" }).click();
    assert.equal(await sort("Size"), "ascending");
    assert.equal(await sort("Name"), null);
    assert.match(await names(), /a name th file-1 latest@ README.md file-2 notes.txt file-10 video.mp4$/);
    await page.getByRole("link", { name: "Size" }).click();
    assert.equal(await sort("Size"), "descending");
    assert.match(await names(), /^video.mp4 file-10/);
    assert.match(page.url(), /\?sort=size&order=desc$/);
    await page.reload();
    assert.match(await names(), /^video.mp4 file-10/);
    await page.goBack();
    assert.equal(await sort("Size"), "ascending");
    await page.getByRole("link", { name: "Modified" }).click();
    assert.equal(await sort("Modified"), "ascending");
    await page.getByRole("link", { name: "photos/" }).click();
    assert.equal(new URL(page.url()).search, "", "the order is not carried on");
  },

  async "order and everything else works without script"() {
    const page = await open("/files/", { javaScriptEnabled: false });
    assert.equal(await page.locator("input").count(), 0);
    await page.getByRole("link", { name: "Size" }).click();
    assert.match(page.url(), /\?sort=size$/);
    await page.getByRole("link", { name: "Parent directory" }).click();
    assert.equal(page.url(), `${base}/`);
  },

  async "filter: by any part of a name, without case; / and Escape and Enter"() {
    const page = await open("/files/");
    const field = page.getByRole("searchbox", { name: "Filter names" });
    const status = page.getByRole("status");
    assert.equal(await status.textContent(), "2 directories, 8 files");
    await page.keyboard.press("/");
    await page.keyboard.type("FILE-1");
    assert.equal(await field.inputValue(), "FILE-1");
    assert.deepEqual(await rows(page), ["file-1", "file-10"]);
    assert.equal(await status.textContent(), "2 of 10 names");
    await page.keyboard.press("Enter");
    assert.equal(await focused(page), "file-1");
    await page.keyboard.press("/");
    await page.keyboard.type("/x");
    assert.deepEqual(await rows(page), []);
    await page.keyboard.press("Escape");
    assert.equal((await rows(page)).length, 10);
    assert.equal(await field.inputValue(), "");
    assert.equal(await status.textContent(), "2 directories, 8 files");
  },

  async "keyboard: Tab goes in the order that is shown, and the focus is seen"() {
    const page = await open("/files/");
    const seen = [];
    for (let i = 0; i < 30; i++) {
      await page.keyboard.press("Tab");
      const stop = await page.evaluate(() => {
        const { activeElement: element } = document, style = getComputedStyle(element), box = element.getBoundingClientRect();
        return { text: element.textContent || element.tagName, outline: style.outlineStyle, width: parseFloat(style.outlineWidth), y: box.top + scrollY, x: box.left };
      });
      if (stop.text === "BODY" || stop.text.includes("\n")) break;
      assert.ok(stop.outline !== "none" && stop.width >= 1, `the focus is seen on ${stop.text}`);
      const before = seen.at(-1);
      if (before) assert.ok(stop.y >= before.y - 12, `${stop.text} is below ${before.text}`);
      seen.push(stop);
    }
    const entries = await rows(page);
    const first = seen.findIndex(stop => stop.text === entries[0]);
    assert.ok(first > 0 && first <= 12, `${first} stops before the entries`);
    assert.deepEqual(seen.slice(first).map(stop => stop.text), entries);
  },

  async "odd names: each link leads to its file, and nothing is markup"() {
    const page = await open("/odd/");
    const links = await page.locator("tbody a").evaluateAll(all => all.map(a => ({ href: a.getAttribute("href"), url: a.href })));
    assert.equal(links.length, ODD.length + 1);
    const found = [];
    for (const { url } of links) {
      assert.ok(url.startsWith(`${base}/odd/`), url);
      const { status, body } = await fetchBytes(url.slice(base.length));
      assert.equal(status, 200, url);
      if (!url.endsWith("/")) found.push(body.toString("latin1"));
    }
    assert.deepEqual(found.sort(), ODD.map(name => name.toString("latin1")).sort());
    assert.equal(await page.locator("td b, td i, td script").count(), 0);
    await page.getByRole("link", { name: "dir & <i>/" }).click();
    assert.equal(await page.locator("h1").textContent(), "Directory listing for /odd/dir & <i>/");
    assert.equal(await page.getByText("This directory is empty.").count(), 1);
  },

  async "a bidi control changes no neighbour"() {
    const page = await open("/odd/");
    const cell = page.locator("tbody tr", { hasText: "gpj.exe" }).locator("td");
    const boxes = await cell.evaluateAll(cells => cells.map(cell => cell.getBoundingClientRect().left));
    assert.ok(boxes[0] < boxes[1] && boxes[1] < boxes[2]);
    assert.match(await cell.nth(1).textContent(), /^\d+ B$/);
  },

  async "crumbs and parent"() {
    const page = await open("/a/b/c/");
    assert.equal(await page.title(), "Directory listing for /a/b/c/");
    assert.equal(await page.locator("h1").textContent(), "Directory listing for /a/b/c/");
    const path = page.getByRole("navigation", { name: "Path" });
    assert.equal(await path.locator("[aria-current=page]").textContent(), "c/");
    await path.getByRole("link", { name: "a/", exact: true }).click();
    assert.equal(page.url(), `${base}/a/`);
    await page.goBack();
    await page.getByRole("link", { name: "Parent directory" }).click();
    assert.equal(page.url(), `${base}/a/b/`);
    await page.goto(`${base}/`);
    assert.equal(await page.getByRole("link", { name: "Parent directory" }).count(), 0);
  },

  async "contrast of all texts in the light and the dark scheme"() {
    for (const colorScheme of ["light", "dark"]) {
      for (const target of ["/files/", "/none"]) {
        const page = await open(target, { colorScheme });
        const low = await page.evaluate(() => {
          const rgb = color => color.match(/[\d.]+/g).map(Number);
          const luminance = color => {
            const [r, g, b] = rgb(color).map(v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
            return .2126 * r + .7152 * g + .0722 * b;
          };
          const back = element => {
            for (; element; element = element.parentElement) {
              const color = getComputedStyle(element).backgroundColor;
              if (rgb(color)[3] !== 0) return color;
            }
          };
          const texts = [...document.querySelectorAll("body *")].filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) && !["SCRIPT", "STYLE"].includes(e.tagName));
          return texts.map(element => {
            const [a, b] = [getComputedStyle(element).color, back(element)].map(luminance).sort((a, b) => b - a);
            return { text: element.textContent, ratio: (a + .05) / (b + .05) };
          }).filter(({ ratio }) => ratio < 4.5);
        });
        assert.deepEqual(low, [], `${colorScheme} ${target}`);
        const light = await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
        assert.equal(light === "rgb(255, 255, 255)", colorScheme === "light");
      }
    }
  },

  async "phone: no sideways scrolling, rows to tap"() {
    for (const target of ["/files/", "/odd/", "/many/", "/none"]) {
      const page = await open(target, { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });
      const { wide, low } = await page.evaluate(() => ({
        wide: document.documentElement.scrollWidth - innerWidth,
        low: [...document.querySelectorAll("td a, li a")].slice(0, 50).filter(a => a.getBoundingClientRect().height < 24).length,
      }));
      assert.ok(wide <= 0, `${target} is ${wide} px too wide`);
      assert.equal(low, 0);
    }
  },

  async "the error page has the same look, says 404 once, and leads back"() {
    const page = await open("/none");
    noise.splice(0, noise.length, ...noise.filter(line => !line.includes("404 (File not found)")));
    assert.equal((await page.locator("body").textContent()).match(/404/g).length, 1);
    const font = await page.evaluate(() => getComputedStyle(document.body).fontFamily);
    await page.getByRole("link").click();
    assert.equal(page.url(), `${base}/`);
    assert.equal(await page.evaluate(() => getComputedStyle(document.body).fontFamily), font);
  },

  async "10,000 names: the filter takes less than a second"() {
    const page = await open("/many/");
    assert.equal(await page.locator("li").count(), 10_000);
    await page.evaluate(() => new Promise(requestAnimationFrame));
    const time = text => page.evaluate(text => new Promise(resolve => {
      const field = document.querySelector("input"), start = performance.now();
      field.value = text;
      field.dispatchEvent(new Event("input"));
      requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - start)));
    }), text);
    const times = [await time("99"), await time("9"), await time("")];
    console.log(`    ${times.map(Math.round).join(", ")} ms`);
    assert.ok(Math.max(...times) < 1000, `${times}`);
    await page.locator(".order a", { hasText: "Show sizes and times" }).click();
    await page.waitForURL("**/?details");
    assert.equal(await page.locator("tbody time").count(), 10_000);
  },

  async "screenshots"() {
    await shoot(await open("/files/"), "light");
    await shoot(await open("/files/?sort=size&order=desc", { colorScheme: "dark" }), "dark");
    await shoot(await open("/odd/"), "odd");
    await shoot(await open("/many/"), "many");
    await shoot(await open("/a/b/c/"), "empty");
    await shoot(await open("/none"), "error");
    const phone = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 };
    await shoot(await open("/files/", phone), "phone");
    await shoot(await open("/many/", { ...phone, colorScheme: "dark" }), "phone-dark");
    await shoot(await open("/none", { ...phone, colorScheme: "dark" }), "phone-error");
    noise.splice(0, noise.length, ...noise.filter(line => !line.includes("404 (File not found)")));
  },

  async "no message on the console, no request besides the pages"() {
    noise.splice(0, noise.length, ...noise.filter(line => !line.includes("404 (File not found)")));
    assert.deepEqual(noise, []);
  },
};

let failed = 0;
try {
  for (const [name, test] of Object.entries(tests)) {
    try {
      await test();
      console.log(`ok      ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`FAILED  ${name}\n${error.stack}`);
    }
    await Promise.all(browser.contexts().map(context => context.close()));
  }
} finally {
  await browser.close();
  server.kill();
  fs.rmSync(root, { recursive: true });
}
process.exitCode = failed ? 1 : 0;
