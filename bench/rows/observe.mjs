import { cpSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { alternate, median, medianRatio, round } from "../lib/figures.mjs";
import { drawPictures } from "../lib/pictures.mjs";
import { pictures } from "./run.mjs";

/** Short, so that the machine and not the vendor is what a run waits for. */
const LATENCY_MS = 10;
const CONCURRENCY = 32;
const GOLDEN_IMAGES = 5;
const SCRAPE_MS = 5000;
/** These differences are small; the rounds of other rows would not tell them from the machine's moods. */
const MORE_ROUNDS = 2;

/** The modules that observe, as they would be if they did not. */
const BARE = {
  "telemetry/metrics.js": `const nothing = () => {};
export const createMetrics = () => ({ observe: nothing, setFleet: nothing, countScrubbed: nothing, text: async () => "" });`,
  "cli/report/run-log.js":
    "export const createRunLog = () => ({ observe: () => {}, show: () => {}, story: () => null });",
  "cli/report/write-report.js": "export const writeReport = async () => {};",
};

/** `run` with metrics that are scraped and written, its report and golden images, and `run` with none of that in it. */
export const observeRow = {
  name: "observe",
  what: "what metrics, report and golden images cost a run",
  measure: async (place, scale) => {
    const archive = await pictures(place, "archive", scale.images);
    const emulator = await place.startEmulator(["--latency", String(LATENCY_MS)]);
    const golden = await labelledImages(place);
    const bareEntry = makeBare(place);
    const [full, bare] = await alternate(
      scale.rounds + MORE_ROUNDS,
      () => observedRun({ place, emulator, archive, golden }),
      () => oneRun({ place, emulator, archive }, { entry: bareEntry }),
    );
    await emulator.stop();
    const cpu = medianRatio(full, bare, ({ cpuUs }) => cpuUs);
    const speed = medianRatio(full, bare, ({ perSecond }) => perSecond);
    const of = (runs, field) => median(runs.map((run) => run[field])).toFixed(0);
    return {
      value: round(cpu, 3),
      measured: `${of(full, "cpuUs")} µs CPU an image = ${cpu.toFixed(3)} × without`,
      beside: `${of(bare, "cpuUs")} µs; images/s ${of(full, "perSecond")} and ${of(bare, "perSecond")}: ${speed.toFixed(3)} ×`,
      goal: "≤ 1.03 ×",
      met: cpu <= 1.03,
      rounds: { full, bare },
    };
  },
};

async function observedRun({ golden, ...settings }) {
  const port = await freePort();
  const scraper = setInterval(() => {
    fetch(`http://127.0.0.1:${port}/metrics`).then(
      (response) => response.text(),
      () => {}, // it has not begun, or has ended
    );
  }, SCRAPE_MS);
  try {
    const env = { CARDBATCH_METRICS_PORT: String(port), CARDBATCH_GOLDEN: golden };
    return await oneRun(settings, { env, args: ["--metrics-file", join(settings.place.folder, "metrics.txt")] });
  } finally {
    clearInterval(scraper);
  }
}

/** Whole, with what starting and ending takes. */
async function oneRun({ place, emulator, archive }, { entry = place.entry, env = {}, args = [] }) {
  const out = join(place.folder, "out");
  rmSync(out, { recursive: true, force: true });
  await emulator.reset();
  await place.forget();
  const run = ["run", archive.folder, "--provider", "huawei", "--rate", "10000", "--out", out];
  const settings = { ...emulator.env, ...env };
  const command = [...run, "--concurrency", String(CONCURRENCY), "--json", ...args];
  const { usage, stdout } = await place.run(command, settings, entry);
  const { accepted, seconds } = JSON.parse(stdout);
  if (accepted !== archive.count) throw new Error(`${accepted} of ${archive.count} images were accepted`);
  return { cpuUs: (1000 * usage.cpuMs) / archive.count, perSecond: archive.count / seconds };
}

/** The compiled command once more, beside a link to what it loads, with nothing in it that observes. */
function makeBare(place) {
  const dist = dirname(dirname(place.entry));
  const bare = join(place.folder, "bare");
  mkdirSync(bare);
  cpSync(dist, join(bare, "dist"), { recursive: true });
  for (const name of ["package.json", "models"]) symlinkSync(join(dist, "..", name), join(bare, name));
  // Where this is installed as a package, what it loads lies beside it.
  symlinkSync(dirname(dirname(createRequire(place.entry).resolve("pino"))), join(bare, "node_modules"));
  for (const [file, text] of Object.entries(BARE)) writeFileSync(join(bare, "dist", file), text);
  return join(bare, "dist/cli/main.js");
}

/** @returns the label file's path */
async function labelledImages(place) {
  const folder = join(place.folder, "golden");
  await drawPictures(folder, GOLDEN_IMAGES);
  const names = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith(".jpg"));
  const file = join(folder, "truth.csv");
  writeFileSync(file, ["file,page,number", ...names.map((name) => `${name},0,`)].join("\n"));
  return file;
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}
