import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { PROVIDER_NAMES } from "../domain/answer.js";
import type { BatchCounts } from "../domain/batch.js";
import { ERROR_CODES } from "../domain/errors.js";
import type { CardbatchEvent } from "../domain/events.js";
import type { PaceState } from "../domain/pace.js";
import { OUTCOMES } from "../domain/reading.js";
import type { OutcomeRecord } from "../domain/record.js";

const CALL_SECONDS = [0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 8, 13, 30];
const JOB_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900];
const HTTP_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60];
const CONFIDENCES = [0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 1];
const CALL_ERRORS = ERROR_CODES.filter((code) => /^(provider|engine)-|^cancelled$|^internal$/.test(code));
const CALL_RESULTS = ["ok", "no-card", ...CALL_ERRORS];
const IMAGE_REASONS: readonly string[] = ERROR_CODES.filter(
  (code) => code.startsWith("image-") || code === "worker-crashed",
);
const BATCH_STATES = [...OUTCOMES, "pending"] as const;

/** The metrics of this process, all in one registry of its own; label sets are there from the start, at zero. */
export interface Metrics {
  observe(event: CardbatchEvent): void;
  /** Fleet-wide figures, set by the one process that leads the batch. */
  setBatch(counts: BatchCounts): void;
  /** One process tells for the whole fleet. */
  setPace(provider: string, state: PaceState): void;
  countScrubbed(hits: number): void;
  /** In the text format of Prometheus. */
  text(): Promise<string>;
}

export function createMetrics(version: string): Metrics {
  const registry = new Registry();
  const family = { registers: [registry] };
  const counter = <L extends string>(name: string, help: string, labels: readonly L[] = []) =>
    new Counter({ ...family, name: `cardbatch_${name}`, help, labelNames: [...labels] });
  const gauge = <L extends string>(name: string, help: string, labels: readonly L[] = []) =>
    new Gauge({ ...family, name: `cardbatch_${name}`, help, labelNames: [...labels] });
  const histogram = <L extends string>(name: string, help: string, buckets: number[], labels: readonly L[] = []) =>
    new Histogram({ ...family, name: `cardbatch_${name}`, help, buckets, labelNames: [...labels] });

  const enqueued = counter("jobs_enqueued_total", "Image jobs put on the queue by this process");
  const finished = counter("jobs_finished_total", "Requests that ended, by outcome", ["outcome"]);
  const queueWait = histogram("job_queue_wait_seconds", "From being enqueued to the start of an attempt", JOB_SECONDS);
  const jobDuration = histogram(
    "job_duration_seconds",
    "From the start of the last attempt to its outcome",
    JOB_SECONDS,
  );
  const calls = counter("provider_calls_total", "Calls to providers, by result", ["provider", "result"]);
  const callDuration = histogram("provider_call_duration_seconds", "Duration of calls", CALL_SECONDS, ["provider"]);
  const billable = counter("provider_billable_calls_total", "Calls that the vendor charges for", ["provider"]);
  const paceWait = histogram("provider_pace_wait_seconds", "Wait for a turn to call", JOB_SECONDS, ["provider"]);
  const breaker = gauge("provider_breaker_state", "0 closed, 0.5 probing, 1 open", ["provider"]);
  const allowedRate = gauge("provider_allowed_rate", "Calls a second that the fleet shares at present", ["provider"]);
  const confidence = histogram("result_confidence_ratio", "Confidence of what was read", CONFIDENCES, [
    "provider",
    "field",
  ]);
  const luhn = counter("luhn_checks_total", "Check digits of numbers read", ["provider", "result"]);
  const rejectedImages = counter("image_rejected_total", "Images that could not be used", ["reason"]);
  const batchItems = gauge("batch_items", "Requests of the batch this process leads, by state", ["state"]);
  const lastProgress = gauge("batch_last_progress_timestamp_seconds", "When an outcome was last recorded");
  const sinkWrites = counter("sink_writes_total", "Outcomes written by sinks, and writes that failed", [
    "sink",
    "result",
  ]);
  const served = counter("http_requests_total", "Requests answered by serve", ["route", "status"]);
  const servedDuration = histogram(
    "http_request_duration_seconds",
    "From a request's headers to its answer",
    HTTP_SECONDS,
    ["route"],
  );
  const webhooks = counter("webhooks_total", "Tries to tell an outcome: done, later, or park (given up)", ["result"]);
  const webhookDuration = histogram("webhook_duration_seconds", "Duration of a try to tell an outcome", CALL_SECONDS);
  const scrubbed = counter("log_scrubbed_total", "Card numbers taken out of log lines; each is a fault");
  gauge("build_info", "The version that runs", ["version"]).set({ version }, 1);

  for (const outcome of OUTCOMES) finished.inc({ outcome }, 0);
  for (const reason of IMAGE_REASONS) rejectedImages.inc({ reason }, 0);
  for (const result of ["ok", "failed"]) sinkWrites.inc({ sink: "ndjson", result }, 0);
  for (const provider of PROVIDER_NAMES) {
    billable.inc({ provider }, 0);
    for (const result of CALL_RESULTS) calls.inc({ provider, result }, 0);
    for (const result of ["valid", "invalid"]) luhn.inc({ provider, result }, 0);
  }

  const observeRecord = (record: OutcomeRecord) => {
    finished.inc({ outcome: record.outcome });
    if (IMAGE_REASONS.includes(record.code ?? "")) rejectedImages.inc({ reason: record.code ?? "" });
    const provider = record.provider?.name;
    if (provider === undefined || record.outcome === "duplicate") return;
    for (const card of record.cards) {
      if (card.number !== null) luhn.inc({ provider, result: card.number.luhn ? "valid" : "invalid" });
      for (const [field, value] of Object.entries(card.confidence)) {
        if (value !== null) confidence.observe({ provider, field }, value);
      }
    }
  };

  return {
    observe: (event) => {
      switch (event.type) {
        case "enqueued":
          return enqueued.inc(event.count);
        case "job-started":
          return queueWait.observe(event.waitedMs / 1000);
        case "turn-taken":
          return paceWait.observe({ provider: event.provider }, event.waitedMs / 1000);
        case "called":
          calls.inc({ provider: event.provider, result: event.result });
          callDuration.observe({ provider: event.provider }, event.durationMs / 1000);
          if (event.billable) billable.inc({ provider: event.provider });
          return;
        case "finished":
          jobDuration.observe(event.durationMs / 1000);
          return observeRecord(event.record);
        case "recorded":
          sinkWrites.inc({ sink: event.sink, result: "ok" }, event.count);
          return lastProgress.setToCurrentTime();
        case "served":
          served.inc({ route: event.route, status: String(event.status) });
          return servedDuration.observe({ route: event.route }, event.durationMs / 1000);
        case "webhook-sent":
          webhooks.inc({ result: event.result });
          return webhookDuration.observe(event.durationMs / 1000);
        case "followed":
          return sinkWrites.inc({ sink: event.sink, result: "ok" }, event.count);
        case "sink-failed":
          return sinkWrites.inc({ sink: event.sink, result: "failed" });
        default:
          return;
      }
    },
    setBatch: (counts) => {
      for (const state of BATCH_STATES) {
        batchItems.set({ state }, state === "pending" ? counts.pending : counts.outcomes[state]);
      }
    },
    setPace: (provider, { rate, waiting }) => {
      allowedRate.set({ provider }, rate);
      breaker.set({ provider }, waiting?.why === "breaker-open" ? 1 : waiting?.why === "probing" ? 0.5 : 0);
    },
    countScrubbed: (hits) => scrubbed.inc(hits),
    text: () => registry.metrics(),
  };
}
