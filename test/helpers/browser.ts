import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

/** `CHROMIUM`, or what is on PATH; null: this machine has none. */
export function findChromium(): string | null {
  const named = process.env.CHROMIUM;
  if (named !== undefined) return named;
  const places = (process.env.PATH ?? "").split(delimiter);
  const programs = places.flatMap((place) => ["chromium", "google-chrome"].map((name) => join(place, name)));
  return programs.find((program) => existsSync(program)) ?? null;
}

/** Named where a test is left out for want of a browser. */
export const NO_CHROMIUM = "no Chromium here: install chromium, or set CHROMIUM to it";

export interface Look {
  readonly width: number;
  readonly dark: boolean;
}

/** What axe finds serious or worse in a page, and what the browser's console says. */
export async function inspectPage(chromium: string, page: string, { width, dark }: Look): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), "cardbatch-page-"));
  try {
    const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
    const run = `axe.run().then(({ violations }) => { document.title = JSON.stringify(violations
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .map(({ id, nodes }) => id + ": " + nodes.map(({ html }) => html).join(" | "))) })`;
    // The page itself forbids scripts; the copy that is looked at is allowed this one.
    const copy = page
      .replace(/<meta http-equiv="Content-Security-Policy"[^>]*>/, "")
      .replace("</body>", () => `<script>${axe}\n${run}</script></body>`);
    const file = join(folder, "page.html");
    await writeFile(file, copy);
    const scheme = `--blink-settings=preferredColorScheme=${dark ? 0 : 1}`;
    const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--enable-logging=stderr"];
    const args = [...flags, scheme, `--window-size=${width},1000`, "--virtual-time-budget=20000", "--dump-dom", file];
    const { stdout, stderr } = await promisify(execFile)(chromium, args, {
      maxBuffer: 1 << 26,
      env: { ...process.env, HOME: folder },
    });
    const [, title] = /<title>([\s\S]*?)<\/title>/.exec(stdout) ?? [];
    const found = JSON.parse(
      (title ?? "").replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&"),
    ) as string[];
    return [...found, ...(stderr.match(/CONSOLE.*$/gm) ?? [])];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
