import { readFile, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findChromium, inspectPage, NO_CHROMIUM } from "../helpers/browser.js";
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

const chromium = findChromium();
let place: Place;
const pages = new Map<string, string>();

beforeAll(async () => {
  place = openPlace();
  await drawArchive(place.path("archive"), 40);
  await writeFile(place.path("archive/0000/<b>&.png"), "\x89PNG\r\n\x1a\nno picture");
  await place.run(["keys", "init"]);
  const emulator = await startEmulator(place, ["--answer", "fixed"]);
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
  expect(summary.failed).toBe(1);
  expect(page).toContain("The batch is complete");
  expect(page).toContain(`<td class="n">${summary.accepted}</td>`);
  expect(page).toContain("image-unsupported");
  expect(page).toContain("&lt;b&gt;&amp;.png");
  expect(page).toMatch(/calls allowed/);
  expect(page).toMatch(/\d{6}\*{6,}\d{4}/);
  expect(pages.get("stopped")).toContain("no call is left in the batch's budget");
});

describe.skipIf(chromium === null)(`in a browser${chromium === null ? ` (${NO_CHROMIUM})` : ""}`, () => {
  it.each([
    { width: 390, dark: false },
    { width: 390, dark: true },
    { width: 1200, dark: false },
    { width: 1200, dark: true },
  ])("is accessible and silent: %o", { timeout: 120_000 }, async (look) => {
    expect(await inspectPage(chromium ?? "", pages.get("whole") ?? "", look)).toEqual([]);
  });
});
