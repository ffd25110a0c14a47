import { expect, test } from "vitest";
import { ProviderError } from "../../src/domain/errors.js";
import type { CardbatchEvent } from "../../src/domain/events.js";
import type { OutcomeRecord, RecordCard } from "../../src/domain/record.js";
import { createMetrics } from "../../src/telemetry/metrics.js";
import { called } from "../helpers/called.js";
import { recordOf } from "../helpers/records.js";
import { parseSamples } from "../helpers/samples.js";

async function samplesOf(metrics: ReturnType<typeof createMetrics>): Promise<ReadonlyMap<string, number>> {
  return parseSamples(await metrics.text());
}

async function observed(...events: CardbatchEvent[]): Promise<ReadonlyMap<string, number>> {
  const metrics = createMetrics("1.2.3");
  for (const event of events) metrics.observe(event);
  return samplesOf(metrics);
}

test("everything that can be counted is there from the start, at zero", async () => {
  const samples = await samplesOf(createMetrics("1.2.3"));
  for (const name of [
    "jobs_enqueued_total",
    'jobs_finished_total{outcome="duplicate"}',
    'provider_calls_total{provider="huawei",result="ok"}',
    'provider_calls_total{provider="shiliuai",result="provider-throttled"}',
    'provider_calls_total{provider="local",result="engine-crashed"}',
    'provider_calls_total{provider="huawei",result="cancelled"}',
    'provider_billable_calls_total{provider="shiliuai"}',
    'luhn_checks_total{provider="local",result="invalid"}',
    'image_rejected_total{reason="image-corrupt"}',
    'image_rejected_total{reason="worker-crashed"}',
    'sink_writes_total{sink="ndjson",result="failed"}',
    "log_scrubbed_total",
    'job_failures_total{code="image-corrupt"}',
    'provider_call_duration_seconds_count{provider="local"}',
    'groundtruth_cards_total{provider="huawei",match="missing"}',
    "job_queue_wait_seconds_count",
  ]) {
    expect([name, samples.get(name)]).toEqual([name, 0]);
  }
  expect(samples.get('build_info{version="1.2.3"}')).toBe(1);
});

test("calls, by provider and result, in seconds", async () => {
  const samples = await observed(
    called({ durationMs: 250 }),
    called({ result: "provider-unavailable", billable: false, durationMs: 4000 }),
  );
  expect(samples.get('provider_calls_total{provider="huawei",result="ok"}')).toBe(1);
  expect(samples.get('provider_calls_total{provider="huawei",result="provider-unavailable"}')).toBe(1);
  expect(samples.get('provider_billable_calls_total{provider="huawei"}')).toBe(1);
  expect(samples.get('provider_call_duration_seconds_sum{provider="huawei"}')).toBe(4.25);
  expect(samples.get('provider_call_duration_seconds_bucket{le="0.3",provider="huawei"}')).toBe(1);
});

test("outcomes, with what was read; a duplicate's reading is counted with the first", async () => {
  const number = { masked: "622588******1234", length: 16, luhn: true, fingerprint: "fp1.k.x", jwe: "e" };
  const confidence = { number: 0.97, bank: null, issueDate: null, expiryDate: 0.5 };
  const card = { number, bank: null, network: null, type: "debit", issueDate: null, expiryDate: null, confidence };
  const more: Partial<OutcomeRecord> = {
    cards: [{ ...card, keypoints: { number: null } } as RecordCard],
    provider: { name: "huawei", requestId: null, latencyMs: 1 },
  };
  const finished = (record: OutcomeRecord) => ({ type: "finished", record, durationMs: 2000 }) as const;
  const samples = await observed(
    finished(recordOf("b", 1, "accepted", more)),
    finished(recordOf("b", 2, "duplicate", more)),
    finished(recordOf("b", 3, "failed", { code: "image-corrupt" })),
    finished(recordOf("b", 4, "failed", { code: "provider-refused" })),
  );
  expect(samples.get('jobs_finished_total{outcome="failed"}')).toBe(2);
  expect(samples.get('luhn_checks_total{provider="huawei",result="valid"}')).toBe(1);
  expect(samples.get('result_confidence_ratio_count{provider="huawei",field="number"}')).toBe(1);
  expect(samples.get('result_confidence_ratio_bucket{le="0.98",provider="huawei",field="number"}')).toBe(1);
  expect(samples.get('result_confidence_ratio_count{provider="huawei",field="bank"}')).toBe(0);
  expect(samples.get('image_rejected_total{reason="image-corrupt"}')).toBe(1);
  expect(samples.get("job_duration_seconds_sum")).toBe(8);
});

test("waits, writes and the rest", async () => {
  const error = new ProviderError("provider-quota", "used up");
  const samples = await observed(
    { type: "enqueued", count: 64 },
    { type: "job-started", waitedMs: 1500 },
    { type: "turn-taken", provider: "huawei", waitedMs: 500 },
    { type: "recorded", sink: "ndjson", count: 3 },
    { type: "sink-failed", sink: "ndjson", error },
    { type: "pace-changed", provider: "huawei", change: { kind: "breaker-closed", afterMs: 1 } },
    { type: "put-back", request: "r", code: "internal", delayMs: 1, attempts: 1 },
    { type: "provider-stopped", provider: "huawei", error },
    { type: "fault", where: "redis", error },
  );
  expect(samples.get("jobs_enqueued_total")).toBe(64);
  expect(samples.get("job_queue_wait_seconds_sum")).toBe(1.5);
  expect(samples.get('provider_pace_wait_seconds_sum{provider="huawei"}')).toBe(0.5);
  expect(samples.get('sink_writes_total{sink="ndjson",result="ok"}')).toBe(3);
  expect(samples.get('sink_writes_total{sink="ndjson",result="failed"}')).toBe(1);
});

test("golden calls are calls, and shown apart; prices make a cost", async () => {
  const metrics = createMetrics("1.2.3", { huawei: 0.5 });
  for (const more of [{}, { isGolden: true }, { uncertain: true, billable: false }] as const) {
    metrics.observe(called(more));
  }
  metrics.observe({ type: "golden", provider: "huawei", match: "wrong", isAccepted: true });
  metrics.observe({ type: "golden", provider: "huawei", match: "exact", isAccepted: true });
  const samples = await samplesOf(metrics);
  const of = (name: string) => samples.get(`${name}{provider="huawei"}`);
  expect([of("provider_billable_calls_total"), of("provider_cost_total")]).toEqual([2, 1]);
  expect([of("groundtruth_billable_calls_total"), of("groundtruth_cost_total")]).toEqual([1, 0.5]);
  expect([of("provider_uncertain_calls_total"), of("groundtruth_calls_total")]).toEqual([1, 1]);
  expect(of("groundtruth_wrong_accepts_total")).toBe(1);
  expect(samples.get('groundtruth_cards_total{provider="huawei",match="wrong"}')).toBe(1);
});

const FLEET = {
  pages: { accepted: 5, review: 1, rejected: 0, failed: 2, duplicate: 1, pending: 3 },
  lastProgressMs: 1_000_000,
  paces: [
    { provider: "huawei", rate: 20, breaker: "closed" },
    { provider: "huawei", rate: 5, breaker: "open" },
  ],
  jobs: { waiting: 2, active: 1, asleep: 0 },
  workers: 4,
  unread: 7,
  redisMemory: 1e6,
  redisMaxMemory: null,
} as const;

test("the fleet, as the one that tells sees it; whoever does not tell has no value, not zero", async () => {
  const metrics = createMetrics("1.2.3");
  const isFleets = (name: string) =>
    /_items|_allowed|_breaker|queue_(jobs|workers)|s_unread|redis_|progress/.test(name);
  const told = async () => [...(await samplesOf(metrics))].filter(([name]) => isFleets(name));
  expect(await told()).toEqual([]);
  metrics.setFleet(FLEET);
  expect(Object.fromEntries(await told())).toEqual({
    'batch_items{state="accepted"}': 5,
    'batch_items{state="review"}': 1,
    'batch_items{state="rejected"}': 0,
    'batch_items{state="failed"}': 2,
    'batch_items{state="duplicate"}': 1,
    'batch_items{state="pending"}': 3,
    batch_last_progress_timestamp_seconds: 1000,
    'provider_allowed_rate{provider="huawei"}': 25,
    'provider_breaker_state{provider="huawei"}': 1,
    'queue_jobs{state="waiting"}': 2,
    'queue_jobs{state="active"}': 1,
    'queue_jobs{state="asleep"}': 0,
    queue_workers: 4,
    outcomes_unread: 7,
    redis_memory_bytes: 1e6,
  });
  metrics.setFleet(null);
  expect(await told()).toEqual([]);
});

test("two in one process do not know of one another", async () => {
  const [one, two] = [createMetrics("1"), createMetrics("2")];
  one.observe({ type: "enqueued", count: 1 });
  expect((await samplesOf(two)).get("jobs_enqueued_total")).toBe(0);
});
