import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  callerSettings,
  drawArchive,
  openPlace,
  type Place,
  type Running,
  type RunningEmulator,
  readOut,
  readSummary,
  startEmulator,
} from "../helpers/cli.js";
import { type FaultProxy, type LineFault, openFaultProxy } from "../helpers/fault-proxy.js";

const IMAGES = 120;
const RATE = 15;
const CONCURRENCY = 8;
/** Calls that get no answer are given up after this. */
const TIMEOUT_MS = 1500;

/** What befalls the line to the vendor, one after the other, and for how long. */
const FAULTS: readonly (LineFault & { readonly forMs: number })[] = [
  { kind: "delay", ms: 100, forMs: 1500 },
  { kind: "cut", afterBytes: 40, forMs: 400 },
  { kind: "silent", forMs: 1200 },
  { kind: "refuse", forMs: 1200 },
];

let place: Place;
let emulator: RunningEmulator;
let proxy: FaultProxy;

beforeAll(async () => {
  place = openPlace();
  await drawArchive(place.path("archive"), IMAGES);
  await place.run(["keys", "init"]);
  emulator = await startEmulator(place, ["--answer", "fixed", "--latency", "100"]);
  proxy = await openFaultProxy(emulator.url);
});
afterAll(async () => {
  await place.close();
  await proxy.close();
});

it("reads every image over a line that is slow, torn, dead and shut by turns", { timeout: 200_000 }, async () => {
  const { provider, env } = callerSettings(proxy.url, "appcode");
  const options = ["--provider", provider, "--rate", String(RATE), "--concurrency", String(CONCURRENCY)];
  const run = place.start(["run", "archive", ...options, "--out", "out"], {
    ...env,
    CARDBATCH_SHILIUAI_TIMEOUT_MS: String(TIMEOUT_MS),
  });
  for (const { forMs, ...fault } of FAULTS) {
    await answeredMore(5, run);
    await proxy.setFault(fault);
    await sleep(forMs);
    await proxy.setFault(null);
  }
  const { code, stderr } = await run.done;
  expect(code, stderr).toBe(0);
  const { results, failures } = readOut(place.path("out"));
  expect(failures).toEqual([]);
  expect(new Set(results.map(({ request }) => request)).size).toBe(IMAGES);
  const { totals } = await emulator.report();
  const summary = readSummary(place.path("out"));
  console.log(
    `${IMAGES} images, ${totals.calls} calls at the vendor, ${summary.calls} counted, ${summary.uncertainCalls} uncertain`,
  );
  // No call is forgotten, and none that was billed goes unsaid: a lost answer is uncertain, a torn one billed for nothing.
  expect(summary).toMatchObject({ found: IMAGES, accepted: IMAGES, pending: 0 });
  expect(summary.calls).toBeGreaterThanOrEqual(totals.calls);
  expect(summary.billableCalls + summary.uncertainCalls).toBeGreaterThanOrEqual(totals.billable);
});

async function answeredMore(count: number, run: Running): Promise<void> {
  const answered = async () => (await emulator.report()).totals.answered;
  const before = await answered();
  while ((await answered()) < before + count) {
    if (run.child.exitCode !== null) throw new Error(`the run has ended: ${run.stderr()}`);
    await sleep(50);
  }
}
