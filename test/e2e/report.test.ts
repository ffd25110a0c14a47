import { readFile, writeFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Browser, findChromium, LOOKS, NO_CHROMIUM, NOTHING_WRONG, openBrowser } from "../helpers/browser.js";
import {
  callerSettings,
  drawArchive,
  openPlace,
  type Place,
  readOut,
  readSummary,
  startEmulator,
} from "../helpers/cli.js";
import { findHtmlFaults, findRequests } from "../helpers/html.js";

const chromium = await findChromium();
const LONG_NAME = `scan_${"of_the_archive_".repeat(8)}.png`;
let place: Place;
const pages = new Map<string, string>();

beforeAll(async () => {
  place = openPlace();
  await drawArchive(place.path("archive"), 60);
  await writeFile(place.path("archive/0000/<b>&.png"), "\x89PNG\r\n\x1a\nno picture");
  await writeFile(place.path("archive/0000", LONG_NAME), "no picture at all");
  await place.run(["keys", "init"]);
  const emulator = await startEmulator(place, ["--answer", "fixed"]);
  await emulator.setFaults({ rules: [{ calls: { from: 5, to: 9 }, do: { kind: "status", status: 400 } }] });
  const { env } = callerSettings(emulator.url);
  const run = async (out: string, ...more: string[]) => {
    const args = ["run", "archive", "--provider", "huawei", "--rate", "400", "--batch", out, "--out", out, ...more];
    await place.run(args, { ...env, CARDBATCH_HUAWEI_PRICE: "0.05" });
    pages.set(out, await readFile(place.path(out, "report.html"), "utf8"));
  };
  await run("whole");
  await run("stopped", "--refresh", "--max-calls", "5");
  await place.run(["drain", "--batch", "whole", "--out", "whole"]);
  pages.set("drained", await readFile(place.path("whole", "report.html"), "utf8"));
});
afterAll(() => place.close());

it("every run leaves a page that is well formed, asks nobody for anything and shows no number", () => {
  const opened = readOut(place.path("whole")).all.flatMap(({ cards }) =>
    cards.map(({ number }) => number?.masked ?? ""),
  );
  expect(opened.length).toBeGreaterThan(0);
  for (const [out, page] of pages) {
    expect([out, findHtmlFaults(page)]).toEqual([out, []]);
    expect([out, findRequests(page)]).toEqual([out, []]);
    expect([out, page.match(/\d{12,}/g)]).toEqual([out, null]);
  }
});

it("says what the run came to", () => {
  const summary = readSummary(place.path("whole"));
  const page = pages.get("whole") ?? "";
  expect(summary.failed).toBe(7);
  expect(page).toContain("The batch is complete");
  expect(page).toContain(`<td class="n">${summary.accepted}</td>`);
  for (const code of ["image-unsupported", "provider-refused"]) expect(page).toContain(code);
  expect(page).toContain("&lt;b&gt;&amp;.png");
  expect(page).toMatch(/the account allows/);
  expect(page).toMatch(/\d{6}\*{6,}\d{4}/);
  expect(pages.get("stopped")).toContain("no call is left in the batch's budget");
});

describe.skipIf(chromium === null)(`in a browser${chromium === null ? ` (${NO_CHROMIUM})` : ""}`, () => {
  let browser: Browser;
  beforeAll(async () => {
    if (chromium !== null) browser = await openBrowser(chromium);
  });
  afterAll(() => browser.close());

  it.each(LOOKS)("asks for nothing, says nothing, fits, and axe finds nothing: %o", async (look) => {
    for (const out of ["whole", "stopped"]) {
      const url = pathToFileURL(place.path(out, "report.html")).href;
      expect([out, await browser.inspect(url, look)]).toEqual([out, NOTHING_WRONG]);
    }
  });

  it("would see it", async () => {
    const faulty = `<html><body style="width:3000px"><img src="http://127.0.0.1:1/x"><script>console.log("here")</script>`;
    await writeFile(place.path("faulty.html"), faulty);
    const seen = await browser.inspect(pathToFileURL(place.path("faulty.html")).href, { width: 1200, dark: false });
    expect(seen.requests).toEqual(["http://127.0.0.1:1/x"]);
    expect(seen.messages).toContainEqual(expect.stringContaining("here"));
    expect(seen.violations).toContainEqual(expect.stringMatching(/^image-alt /));
    expect(seen.overflowPx).toBeGreaterThan(1000);
  });
});
