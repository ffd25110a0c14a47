import { copyFile, readFile, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  callerSettings,
  drawArchive,
  openPlace,
  type Place,
  type Running,
  readSummary,
  startEmulator,
} from "../helpers/cli.js";
import { parseSamples, sumOf } from "../helpers/samples.js";

const IMAGES = 60;
const WORKERS = 4;

let place: Place;
let env: Record<string, string>;
beforeAll(async () => {
  place = openPlace();
  await drawArchive(place.path("archive"), IMAGES);
  await copyFile(place.path("archive/0000/000000.png"), place.path("archive/0000/again.png"));
  await writeFile(place.path("archive/0000/broken.png"), "\x89PNG\r\n\x1a\nno picture");
  await place.run(["keys", "init"]);
  const emulator = await startEmulator(place, ["--answer", "fixed", "--latency", "20"]);
  env = { ...callerSettings(emulator.url).env, CARDBATCH_HUAWEI_PRICE: "0.05" };
});
afterAll(() => place.close());

it("--metrics-file says what summary.json says", async () => {
  const args = ["run", "archive", "--provider", "huawei", "--rate", "500", "--metrics-file", "metrics.prom"];
  const { code, stderr } = await place.run(args, env);
  expect(code, stderr).toBe(1);
  const summary = readSummary(place.path("out"));
  const samples = parseSamples(await readFile(place.path("metrics.prom"), "utf8"));
  const { found, accepted, review, rejected, failed, duplicate, pending } = summary;
  expect(found).toBe(IMAGES + 2);
  for (const [state, count] of Object.entries({ accepted, review, rejected, failed, duplicate, pending })) {
    expect([state, samples.get(`batch_items{state="${state}"}`)]).toEqual([state, count]);
    if (state === "pending") continue;
    expect([state, samples.get(`jobs_finished_total{outcome="${state}"}`)]).toEqual([state, count]);
  }
  const of = (name: string) => sumOf([samples], name);
  expect(of("provider_calls_total")).toBe(summary.calls);
  expect(of("provider_billable_calls_total")).toBe(summary.billableCalls);
  expect(of("provider_uncertain_calls_total")).toBe(summary.uncertainCalls);
  expect(of("provider_cost_total")).toBeCloseTo(summary.cost, 6);
  expect(samples.get('provider_calls_total{provider="huawei",result="ok"}')).toBe(summary.providers.huawei?.calls);
  for (const [failure, count] of Object.entries(summary.failures)) {
    expect(samples.get(`job_failures_total{code="${failure}"}`)).toBe(count);
  }
  expect(of("sink_writes_total")).toBe(found);
});

it("golden images are called for besides, and are in nothing but their own figures", async () => {
  const labels = ["file,page,number", "0000/000001.png,0,", "0000/000002.png,0,6200000000000000"];
  await writeFile(place.path("archive/truth.csv"), labels.join("\n"));
  const args = ["run", "archive", "--provider", "huawei", "--rate", "500", "--batch", "golden", "--out", "out-golden"];
  const golden = { CARDBATCH_GOLDEN: place.path("archive/truth.csv"), CARDBATCH_GOLDEN_SHARE: "0.5" };
  await place.run([...args, "--refresh", "--metrics-file", "golden.prom"], { ...env, ...golden });
  const samples = parseSamples(await readFile(place.path("golden.prom"), "utf8"));
  const of = (name: string) => sumOf([samples], name);
  const summary = readSummary(place.path("out-golden"));
  expect(summary.found).toBe(IMAGES + 2);
  expect(of("groundtruth_calls_total")).toBeGreaterThan(0);
  expect(of("provider_calls_total") - of("groundtruth_calls_total")).toBe(summary.calls);
  expect(of("groundtruth_cards_total")).toBe(of("groundtruth_calls_total"));
  // The emulator makes up a number for each picture: none is right, where there is none to read least of all.
  expect(of("groundtruth_cards_total")).toBe(samples.get('groundtruth_cards_total{provider="huawei",match="wrong"}'));
  expect(of("groundtruth_cost_total")).toBeCloseTo(of("groundtruth_billable_calls_total") * 0.05, 6);
  const page = await readFile(place.path("out-golden/report.html"), "utf8");
  expect(page).toContain("Golden images");
});

it("four workers: sums are right, and one that dies is replaced", { timeout: 120_000 }, async () => {
  const workers = Array.from({ length: WORKERS }, () =>
    place.start(["worker", "--provider", "huawei", "--rate", "20"], { ...env, CARDBATCH_METRICS_PORT: "0" }),
  );
  const enqueue = ["enqueue", "archive", "--provider", "huawei", "--batch", "fleet", "--refresh"];
  expect((await place.run(enqueue, env)).code).toBe(0);

  const all = await Promise.all(workers.map(scrape));
  expect(sumOf(all, "batch_items")).toBe(IMAGES + 2);
  expect(sumOf(all, "provider_allowed_rate")).toBe(20);
  expect(all.filter((samples) => samples.has("queue_workers"))).toHaveLength(1);

  const teller = all.findIndex((samples) => samples.has("queue_workers"));
  workers[teller]?.kill("SIGKILL");
  const rest = workers.filter((_, i) => i !== teller);
  for (;;) {
    const now = await Promise.all(rest.map(scrape));
    const tellers = now.filter((samples) => samples.has("queue_workers")).length;
    expect(tellers).toBeLessThan(2);
    if (tellers === 1) {
      expect(sumOf(now, "batch_items")).toBe(IMAGES + 2);
      expect(sumOf(now, "provider_breaker_state")).toBe(0);
      break;
    }
    await sleep(200);
  }
});

async function scrape(worker: Running): Promise<ReadonlyMap<string, number>> {
  for (;;) {
    const [, url] = /metrics: (\S+)/.exec(worker.stderr()) ?? [];
    if (url !== undefined) return parseSamples(await (await fetch(url)).text());
    await sleep(50);
  }
}
