import { expect, test } from "vitest";
import { ProviderError } from "../../src/domain/errors.js";
import type { CardbatchEvent } from "../../src/domain/events.js";
import type { OutcomeRecord, RecordCard } from "../../src/domain/record.js";
import { createMetrics } from "../../src/telemetry/metrics.js";
import { NO_MONEY } from "../helpers/money.js";
import { recordOf } from "../helpers/records.js";

/** The samples of the text format, by name and labels. */
async function samplesOf(metrics: ReturnType<typeof createMetrics>): Promise<ReadonlyMap<string, number>> {
  const lines = (await metrics.text()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ")))]),
  );
}

async function observed(...events: CardbatchEvent[]): Promise<ReadonlyMap<string, number>> {
  const metrics = createMetrics("1.2.3");
  for (const event of events) metrics.observe(event);
  return samplesOf(metrics);
}

const CALLED = {
  type: "called",
  provider: "huawei",
  result: "ok",
  durationMs: 250,
  billable: true,
  uncertain: false,
  httpStatus: null,
  vendorCode: null,
  requestId: null,
} as const;

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
    "job_queue_wait_seconds_count",
  ]) {
    expect([name, samples.get(`cardbatch_${name}`)]).toEqual([name, 0]);
  }
  expect(samples.get('cardbatch_build_info{version="1.2.3"}')).toBe(1);
});

test("calls, by provider and result, in seconds", async () => {
  const samples = await observed(CALLED, {
    ...CALLED,
    result: "provider-unavailable",
    billable: false,
    durationMs: 4000,
  });
  expect(samples.get('cardbatch_provider_calls_total{provider="huawei",result="ok"}')).toBe(1);
  expect(samples.get('cardbatch_provider_calls_total{provider="huawei",result="provider-unavailable"}')).toBe(1);
  expect(samples.get('cardbatch_provider_billable_calls_total{provider="huawei"}')).toBe(1);
  expect(samples.get('cardbatch_provider_call_duration_seconds_sum{provider="huawei"}')).toBe(4.25);
  expect(samples.get('cardbatch_provider_call_duration_seconds_bucket{le="0.3",provider="huawei"}')).toBe(1);
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
  expect(samples.get('cardbatch_jobs_finished_total{outcome="failed"}')).toBe(2);
  expect(samples.get('cardbatch_luhn_checks_total{provider="huawei",result="valid"}')).toBe(1);
  expect(samples.get('cardbatch_result_confidence_ratio_count{provider="huawei",field="number"}')).toBe(1);
  expect(samples.get('cardbatch_result_confidence_ratio_bucket{le="0.98",provider="huawei",field="number"}')).toBe(1);
  expect(samples.get('cardbatch_result_confidence_ratio_count{provider="huawei",field="bank"}')).toBeUndefined();
  expect(samples.get('cardbatch_image_rejected_total{reason="image-corrupt"}')).toBe(1);
  expect(samples.get("cardbatch_job_duration_seconds_sum")).toBe(8);
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
  expect(samples.get("cardbatch_jobs_enqueued_total")).toBe(64);
  expect(samples.get("cardbatch_job_queue_wait_seconds_sum")).toBe(1.5);
  expect(samples.get('cardbatch_provider_pace_wait_seconds_sum{provider="huawei"}')).toBe(0.5);
  expect(samples.get('cardbatch_sink_writes_total{sink="ndjson",result="ok"}')).toBe(3);
  expect(samples.get('cardbatch_sink_writes_total{sink="ndjson",result="failed"}')).toBe(1);
  const now = Date.now() / 1000;
  expect(now - (samples.get("cardbatch_batch_last_progress_timestamp_seconds") ?? 0)).toBeLessThan(60);
});

test("a batch, set as it stands", async () => {
  const metrics = createMetrics("1.2.3");
  const outcomes = { accepted: 5, review: 1, rejected: 0, failed: 2, duplicate: 1 };
  metrics.setBatch({
    found: 12,
    outcomes,
    pending: 3,
    stale: 0,
    providers: {},
    money: NO_MONEY,
    fed: true,
    halt: null,
  });
  const waiting = { why: "breaker-open", untilMs: 1, code: "provider-timeout" } as const;
  metrics.setPace("huawei", { rate: 20, waiting, outage: "1" });
  metrics.countScrubbed(2);
  const samples = await samplesOf(metrics);
  const states = [...samples].filter(([name]) => name.startsWith("cardbatch_batch_items{"));
  expect(states.reduce((sum, [, value]) => sum + value, 0)).toBe(12);
  expect(samples.get('cardbatch_batch_items{state="pending"}')).toBe(3);
  expect(samples.get('cardbatch_provider_allowed_rate{provider="huawei"}')).toBe(20);
  expect(samples.get('cardbatch_provider_breaker_state{provider="huawei"}')).toBe(1);
  expect(samples.get("cardbatch_log_scrubbed_total")).toBe(2);
});

test("two in one process do not know of one another", async () => {
  const [one, two] = [createMetrics("1"), createMetrics("2")];
  one.observe({ type: "enqueued", count: 1 });
  expect((await samplesOf(two)).get("cardbatch_jobs_enqueued_total")).toBe(0);
});
