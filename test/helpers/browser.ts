import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Brought, bring, type Wanted } from "../../scripts/bring.mjs";
import { connectPipe, type Devtools } from "./devtools.js";

const CHROMIUM: Wanted = {
  name: "chromium",
  programs: ["chromium-headless-shell", "chromium", "google-chrome"],
  folders: (root) => [join(root, "usr/lib/chromium")],
  packages: async () => ["chromium-headless-shell", "chromium-common", "fontconfig-config", "fonts-dejavu-core"],
  env: (root) => ({ FONTCONFIG_PATH: join(root, "etc/fonts"), XDG_DATA_HOME: join(root, "usr/share") }),
};

/** On PATH, or brought from Debian; null: neither. */
export const findChromium = (): Promise<Brought | null> => bring(CHROMIUM);

/** Named where a test is left out for want of a browser. */
export const NO_CHROMIUM = "no Chromium here, and none can be brought: install chromium";

export interface Look {
  readonly width: number;
  readonly dark: boolean;
}

/** On a phone and on a screen, by day and by night. */
export const LOOKS: readonly Look[] = [390, 1200].flatMap((width) => [false, true].map((dark) => ({ width, dark })));

/** What is wrong with a page. */
export interface Seen {
  /** Whatever it asked for besides itself. */
  readonly requests: readonly string[];
  /** Of the console, errors that nobody caught, and what its own policy refused. */
  readonly messages: readonly string[];
  /** By axe, of any impact. */
  readonly violations: readonly string[];
  /** What is wider than the window has to be scrolled sideways. */
  readonly overflowPx: number;
}

export const NOTHING_WRONG: Seen = { requests: [], messages: [], violations: [], overflowPx: 0 };

export interface Browser {
  inspect(url: string, look: Look): Promise<Seen>;
  close(): Promise<void>;
}

/** A browser of a test's own. With `CARDBATCH_TEST_SCREENSHOTS` what it saw is kept in that folder, to be looked at. */
export async function openBrowser({ file, env }: Brought): Promise<Browser> {
  const folder = mkdtempSync(join(tmpdir(), "cardbatch-browser-"));
  const own = ["--headless", "--remote-debugging-pipe", `--user-data-dir=${folder}`];
  const quiet = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"];
  const child = spawn(file, [...own, ...quiet], {
    env: { ...env, HOME: folder },
    stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
  });
  const devtools = connectPipe(child);
  return {
    inspect: (url, look) => inspect(devtools, url, look),
    close: async () => {
      await end(child, devtools);
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** Asked to, the browser ends its helpers first; they would go on writing to its folder after it was killed. */
async function end(child: ChildProcess, devtools: Devtools): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  devtools.send("Browser.close").catch(() => child.kill("SIGKILL"));
  await ended;
}

async function inspect(devtools: Devtools, url: string, look: Look): Promise<Seen> {
  const { targetId } = await devtools.send("Target.createTarget", { url: "about:blank" });
  const { sessionId } = await devtools.send("Target.attachToTarget", { targetId, flatten: true });
  const page = devtools.session(String(sessionId));
  const requests: string[] = [];
  const messages: string[] = [];
  page.on("Network.requestWillBeSent", ({ request }) => requests.push((request as { url: string }).url));
  page.on("Log.entryAdded", ({ entry }) => messages.push((entry as { text: string }).text));
  page.on("Runtime.consoleAPICalled", ({ args }) => messages.push(JSON.stringify(args)));
  page.on("Runtime.exceptionThrown", (thrown) => messages.push(JSON.stringify(thrown)));
  try {
    for (const domain of ["Network", "Log", "Runtime", "Page"]) await page.send(`${domain}.enable`);
    await dress(page, look);
    const loaded = page.next("Page.loadEventFired");
    const { errorText } = await page.send("Page.navigate", { url });
    if (errorText !== undefined) throw new Error(`the browser could not open ${url}: ${String(errorText)}`);
    await loaded;
    const violations = (await evaluate(page, `${axe()}\n${RUN_AXE}`)) as string[];
    const overflowPx = (await evaluate(page, "document.documentElement.scrollWidth - innerWidth")) as number;
    await keepScreenshot(page, url, look);
    // The first is the page itself.
    return { requests: requests.slice(1), messages, violations, overflowPx: Math.max(overflowPx, 0) };
  } finally {
    await devtools.send("Target.closeTarget", { targetId });
  }
}

async function dress(page: Devtools, { width, dark }: Look): Promise<void> {
  const device = { width, height: 900, deviceScaleFactor: 1, mobile: width < 600 };
  await page.send("Emulation.setDeviceMetricsOverride", device);
  const features = [{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }];
  await page.send("Emulation.setEmulatedMedia", { features });
}

const axe = () => readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const RUN_AXE = `axe.run().then(({ violations }) => violations.map(({ id, impact, nodes }) =>
  [id, impact, ...nodes.map(({ html }) => html)].join(" | ")))`;

async function evaluate(page: Devtools, expression: string): Promise<unknown> {
  const ways = { awaitPromise: true, returnByValue: true };
  const { result, exceptionDetails } = await page.send("Runtime.evaluate", { expression, ...ways });
  if (exceptionDetails !== undefined) throw new Error(`in the page: ${JSON.stringify(exceptionDetails)}`);
  return (result as { value: unknown }).value;
}

async function keepScreenshot(page: Devtools, url: string, { width, dark }: Look): Promise<void> {
  const folder = process.env.CARDBATCH_TEST_SCREENSHOTS;
  if (folder === undefined) return;
  const { data } = await page.send("Page.captureScreenshot", { captureBeyondViewport: true });
  mkdirSync(folder, { recursive: true });
  const place = new URL(url).pathname.split("/").slice(-2).join("-");
  const name = `${place}-${width}-${dark ? "dark" : "light"}.png`;
  writeFileSync(join(folder, name), Buffer.from(String(data), "base64"));
}
