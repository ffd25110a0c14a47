import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { alternate, median, medianRatio, round } from "../lib/figures.mjs";
import { drawPictures } from "../lib/pictures.mjs";
import { ACCOUNT } from "../lib/place.mjs";

/** Calls at either end of a run that do not count for its speed, as a share: the first goes alone, the last find no more work. */
const ENDS = 0.1;

/** `run` against a provider that always takes as long, and the plain script beside it. */
export function runRow(name, { latencyMs, concurrency, goal }) {
  return {
    name,
    what: `run, ${latencyMs} ms provider, concurrency ${concurrency}, 200 kB images`,
    measure: async (place, scale) => {
      const { plain, ours } = await measureRuns(place, scale, latencyMs, concurrency);
      const ratio = medianRatio(ours, plain, ({ perSecond }) => perSecond);
      const whole = medianRatio(plain, ours, ({ ms }) => ms);
      return {
        value: round(ratio),
        measured: `${median(ours.map(({ perSecond }) => perSecond)).toFixed(0)}/s = ${ratio.toFixed(2)} × plain`,
        beside: `plain script ${median(plain.map(({ perSecond }) => perSecond)).toFixed(0)}/s; whole commands ${whole.toFixed(2)} ×`,
        goal: `≥ ${goal} ×`,
        met: ratio >= goal,
        rounds: { ours, plain },
      };
    },
  };
}

/** CPU time an image, with what a short run takes left out: starting, warming up, ending. */
export const cpuRow = {
  name: "cpu",
  what: "CPU per image of run, Redis included",
  measure: async (place, scale) => {
    const { plain, ours } = await measureRuns(place, scale, 100, 32);
    const ratio = medianRatio(ours, plain, ({ cpuUs }) => cpuUs);
    const of = (runs, field) => median(runs.map((run) => run[field])).toFixed(0);
    return {
      value: round(ratio),
      measured: `${of(ours, "cpuUs")} µs = ${ratio.toFixed(2)} × plain`,
      beside: `plain script ${of(plain, "cpuUs")} µs; Redis' share ${of(ours, "redisUs")} µs`,
      goal: "≤ 1.6 ×",
      met: ratio <= 1.6,
      rounds: { ours, plain },
    };
  },
};

/** Both rows about the same provider read off the same runs. */
const measured = new Map();

function measureRuns(place, scale, latencyMs, concurrency) {
  const known = measured.get(latencyMs) ?? measureBoth(place, scale, latencyMs, concurrency);
  measured.set(latencyMs, known);
  return known;
}

async function measureBoth(place, scale, latencyMs, concurrency) {
  const archive = await pictures(place, "archive", scale.images);
  const few = await pictures(place, "few", scale.fewImages);
  const emulator = await place.startEmulator(["--latency", String(latencyMs)]);
  const settings = { place, emulator, concurrency };
  const start = { plain: await plainRun(settings, few), ours: await ourRun(settings, few) };
  const perImage = (run, atStart) => ({
    ...run,
    cpuUs: (1000 * (run.cpuMs - atStart.cpuMs)) / (run.images - atStart.images),
    redisUs: (1000 * (run.redisMs - atStart.redisMs)) / (run.images - atStart.images),
  });
  const [plain, ours] = await alternate(
    scale.rounds,
    async () => perImage(await plainRun(settings, archive), start.plain),
    async () => perImage(await ourRun(settings, archive), start.ours),
  );
  await emulator.stop();
  return { plain, ours };
}

/** Pictures that every row may use; drawn once. */
export async function pictures(place, name, count) {
  const folder = join(place.folder, name);
  const isDrawn = readdirSync(place.folder).includes(name);
  if (!isDrawn) await drawPictures(folder, count);
  return { folder, count };
}

async function plainRun({ place, emulator, concurrency }, { folder, count }) {
  const out = join(place.folder, "plain.ndjson");
  rmSync(out, { force: true });
  await emulator.reset();
  const options = { folder, out, endpoint: emulator.url, ...ACCOUNT, concurrency };
  const { ms, usage } = await place.runScript("read-archive.mjs", options);
  assertLines(out, count);
  return { images: count, ms, cpuMs: usage.cpuMs, redisMs: 0, perSecond: speed(await emulator.calls(), count) };
}

async function ourRun({ place, emulator, concurrency }, { folder, count }) {
  const out = join(place.folder, "out");
  rmSync(out, { recursive: true, force: true });
  await emulator.reset();
  await place.forget();
  const redisBefore = await place.redisCpuMs();
  const args = ["run", folder, "--provider", "huawei", "--rate", "10000", "--out", out];
  const { ms, usage } = await place.run([...args, "--concurrency", String(concurrency)], emulator.env);
  const redisMs = (await place.redisCpuMs()) - redisBefore;
  assertLines(join(out, "results.ndjson"), count);
  const perSecond = speed(await emulator.calls(), count);
  return { images: count, ms, cpuMs: usage.cpuMs + redisMs, redisMs, perSecond };
}

/** Calls a second as the vendor saw them, between the ends. */
function speed(calls, images) {
  if (calls.length !== images) throw new Error(`${calls.length} calls for ${images} images`);
  const first = Math.floor(calls.length * ENDS);
  const last = calls.length - 1 - first;
  return (1000 * (last - first)) / (calls[last].at - calls[first].at);
}

function assertLines(file, count) {
  const lines = readFileSync(file, "utf8").split("\n").length - 1;
  if (lines !== count) throw new Error(`${file} has ${lines} lines, not ${count}`);
}
