import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, cpus, loadavg, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { openPlace } from "./lib/place.mjs";
import { renderTable } from "./lib/table.mjs";
import { autoRateRow } from "./rows/auto-rate.mjs";
import { engineMemoryRow, enginePhotoRow, engineRow } from "./rows/engine.mjs";
import { intakeRow } from "./rows/intake.mjs";
import { interactiveRow } from "./rows/interactive.mjs";
import { killRow } from "./rows/kill.mjs";
import { memoryRow } from "./rows/memory.mjs";
import { observeRow } from "./rows/observe.mjs";
import { ocrRow } from "./rows/ocr.mjs";
import { paceRow, strictPaceRow } from "./rows/pace.mjs";
import { postRow } from "./rows/post.mjs";
import { resizeRow } from "./rows/resize.mjs";
import { cpuRow, runRow } from "./rows/run.mjs";
import { waitingJobRow } from "./rows/waiting-job.mjs";

const ROWS = [
  paceRow,
  strictPaceRow,
  runRow("run-100", { latencyMs: 100, concurrency: 32, goal: 0.95 }),
  runRow("run-400", { latencyMs: 400, concurrency: 128, goal: 0.9 }),
  cpuRow,
  observeRow,
  resizeRow,
  intakeRow,
  waitingJobRow,
  memoryRow,
  killRow,
  interactiveRow,
  postRow,
  autoRateRow,
  ocrRow,
  engineRow,
  enginePhotoRow,
  engineMemoryRow,
];

/** How much is measured. Ratios hold from `quick` on, single figures of it may be off by a few per cent. */
const SCALES = {
  quick: {
    ocrRequests: 100,
    rounds: 1,
    images: 1200,
    fewImages: 400,
    resizes: 7,
    waitingJobs: 1000,
    paceSeconds: 10,
    kills: 1,
    posts: 300,
    busyImages: 3000,
    memoryImages: [1000, 5000],
    reads: 1,
    engineImages: [300, 1500],
    auto: { learnMs: 30_000, measureMs: 10_000, lowMs: 30_000 },
  },
  full: {
    ocrRequests: 1000,
    rounds: 3,
    images: 4000,
    fewImages: 1000,
    resizes: 15,
    waitingJobs: 10_000,
    paceSeconds: 60,
    kills: 3,
    posts: 1000,
    busyImages: 20_000,
    memoryImages: [10_000, 50_000],
    reads: 3,
    engineImages: [1000, 10_000],
    auto: { learnMs: 60_000, measureMs: 30_000, lowMs: 45_000 },
  },
  long: {
    ocrRequests: 1000,
    rounds: 5,
    images: 8000,
    fewImages: 1000,
    resizes: 31,
    waitingJobs: 10_000,
    paceSeconds: 60,
    kills: 10,
    posts: 3000,
    busyImages: 100_000,
    memoryImages: [10_000, 1_000_000],
    reads: 10,
    engineImages: [1000, 100_000],
    auto: { learnMs: 60_000, measureMs: 30_000, lowMs: 45_000 },
  },
};

export const ROW_NAMES = ROWS.map(({ name }) => name);

/**
 * Measures the rows of design's table of figures, each beside what it is held against, and prints them.
 * @param options.rows names, none for all · options.scale quick, full or long
 * @param world see `openPlace`; `report` tells a person where it stands
 * @returns what was measured: `{ machine, rows }`
 */
export async function bench({ rows: names, scale }, world) {
  const chosen = ROWS.filter(({ name }) => names.length === 0 || names.includes(name));
  const folder = mkdtempSync(join(tmpdir(), "cardbatch-bench-"));
  const place = await openPlace({ ...world, folder });
  const stop = () => void place.close();
  world.signal.addEventListener("abort", stop, { once: true });
  const rows = [];
  try {
    const machine = await describeMachine(place);
    for (const { name, what, measure } of chosen) {
      world.report(`measuring ${name}: ${what} …`);
      rows.push({ name, what, ...(await measureRow(measure, place, SCALES[scale], world.signal)) });
    }
    return { machine: { ...machine, loadAfter: loadavg()[0] }, scale, rows };
  } finally {
    world.signal.removeEventListener("abort", stop);
    await place.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A row that cannot be measured says why, and the others go on. */
async function measureRow(measure, place, scale, signal) {
  try {
    return await measure(place, scale);
  } catch (error) {
    signal.throwIfAborted();
    // Whatever it left running would work in the next row.
    await place.killAll();
    const why = error instanceof Error ? error.message.trim().split("\n").at(-1) : String(error);
    return { value: null, measured: `not measured: ${why}`, beside: "", goal: "", met: null, rounds: null };
  }
}

export function renderReport({ machine, scale, rows }) {
  const { cpu, cores, memoryGb, node, redis, fsync, load, loadAfter } = machine;
  const header = [
    `${cores} cores of ${cpu}, ${memoryGb} GB; Node ${node}; Redis ${redis}, appendfsync ${fsync}`,
    `load before ${load.toFixed(1)}, after ${loadAfter.toFixed(1)}; scale ${scale}. Everything shares this machine: trust ratios.`,
  ];
  const cells = rows.map(({ name, measured, beside, goal, met }) => [
    name,
    measured,
    goal,
    met === null ? "–" : met ? "yes" : "NO",
    beside,
  ]);
  return `${header.join("\n")}\n\n${renderTable(["row", "measured", "goal", "met", "beside it"], cells)}`;
}

async function describeMachine({ redis }) {
  const version = /^redis_version:(\S+)/m.exec(await redis.info("server"))?.[1] ?? "unknown";
  const [, fsync] = await redis.config("GET", "appendfsync");
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryGb: Math.round(totalmem() / 1024 ** 3),
    node: process.version,
    redis: version,
    fsync,
    load: loadavg()[0],
  };
}
