import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { PROVIDER_NAMES } from "../domain/answer.js";
import { ERROR_CATALOGUE, ERROR_CODES } from "../domain/errors.js";
import { GOLDEN_MATCHES } from "../domain/golden.js";
import { OUTCOMES } from "../domain/reading.js";
import { RUN_RESULTS } from "../domain/schedule.js";
import { SINK_NAMES } from "../domain/sink.js";

/** From an engine's 15 ms to the longest timeout that people set; fine around what vendors take, 0.1 to 1 s. */
const CALL_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 8, 13, 30, 60];
const JOB_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900];
/** A large archive waits for hours, and for its window. */
const QUEUE_SECONDS = [0.05, 0.25, 1, 5, 15, 60, 300, 900, 3600, 14_400, 86_400];
const HTTP_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60];
/** Fine where thresholds lie. */
const CONFIDENCES = [0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 1];

const FIELDS = ["number", "bank", "issueDate", "expiryDate"];
const CALL_ERRORS = ERROR_CODES.filter((code) => /^(provider|engine)-|^cancelled$|^internal$/.test(code));
const CALL_RESULTS = ["ok", "no-card", ...CALL_ERRORS];
const FAILURE_CODES = ERROR_CODES.filter((code) => /^(fail|retry)$/.test(ERROR_CATALOGUE[code].disposition));

/** Why an image could not be used. */
export const IMAGE_REASONS: readonly string[] = ERROR_CODES.filter(
  (code) => code.startsWith("image-") || code === "worker-crashed",
);
export const ITEM_STATES = [...OUTCOMES, "pending"] as const;
/** Files of `--out`, and what follows them. */
const SINKS = ["ndjson", ...SINK_NAMES];

export type Families = ReturnType<typeof createFamilies>;

/** Every metric there is, in one registry; what can be counted is there from the start, at zero. */
export function createFamilies(version: string) {
  const registry = new Registry();
  const made = {
    enqueued: counter(registry, "jobs_enqueued_total", "Image jobs put on the queue by this process"),
    finished: counter(registry, "jobs_finished_total", "Requests that ended, by outcome", { outcome: OUTCOMES }),
    failures: counter(registry, "job_failures_total", "Requests that failed, by code", { code: FAILURE_CODES }),
    queueWait: histogram(registry, "job_queue_wait_seconds", "From enqueued to the start of an attempt", QUEUE_SECONDS),
    jobDuration: histogram(
      registry,
      "job_duration_seconds",
      "From the start of the last attempt to its outcome",
      JOB_SECONDS,
    ),
    ...providerFamilies(registry),
    ...accuracyFamilies(registry),
    rejectedImages: counter(registry, "image_rejected_total", "Images that could not be used", {
      reason: IMAGE_REASONS,
    }),
    sinkWrites: counter(registry, "sink_writes_total", "Outcomes written by sinks, and writes that failed", {
      sink: SINKS,
      result: ["ok", "failed"],
    }),
    ...serveFamilies(registry),
    scheduleRuns: counter(registry, "schedule_runs_total", "Due runs that ended, or were refused", {
      result: [...RUN_RESULTS, "refused"],
    }),
    scheduleFiles: counter(registry, "schedule_files_total", "Files of schedules, opened or passed over as unchanged", {
      state: ["opened", "unchanged"],
    }),
    ...fleetFamilies(registry),
    scrubbed: counter(registry, "log_scrubbed_total", "Card numbers taken out of log lines; each is a fault"),
  };
  gauge(registry, "build_info", "The version that runs", ["version"]).set({ version }, 1);
  return { registry, ...made };
}

function providerFamilies(registry: Registry) {
  const provider = PROVIDER_NAMES;
  return {
    calls: counter(registry, "provider_calls_total", "Calls to providers, by result", {
      provider,
      result: CALL_RESULTS,
    }),
    callDuration: histogram(registry, "provider_call_duration_seconds", "Duration of calls", CALL_SECONDS, {
      provider,
    }),
    billable: counter(registry, "provider_billable_calls_total", "Calls that the vendor charges for", { provider }),
    uncertain: counter(registry, "provider_uncertain_calls_total", "Calls sent whose answer never arrived", {
      provider,
    }),
    cost: counter(registry, "provider_cost_total", "Of billable calls, at the price that is set", { provider }),
    paceWait: histogram(registry, "provider_pace_wait_seconds", "Wait for a turn to call", JOB_SECONDS, { provider }),
  };
}

function accuracyFamilies(registry: Registry) {
  const provider = PROVIDER_NAMES;
  return {
    confidence: histogram(registry, "result_confidence_ratio", "Confidence of what was read", CONFIDENCES, {
      provider,
      field: FIELDS,
    }),
    luhn: counter(registry, "luhn_checks_total", "Check digits of numbers read", {
      provider,
      result: ["valid", "invalid"],
    }),
    goldenCards: counter(registry, "groundtruth_cards_total", "Golden images read, by whether the number is right", {
      provider,
      match: GOLDEN_MATCHES,
    }),
    goldenWrongAccepts: counter(registry, "groundtruth_wrong_accepts_total", "Golden images accepted and wrong", {
      provider,
    }),
    goldenCalls: counter(registry, "groundtruth_calls_total", "Calls made for golden images", { provider }),
    goldenBillable: counter(registry, "groundtruth_billable_calls_total", "Of these, those charged for", { provider }),
    goldenCost: counter(registry, "groundtruth_cost_total", "Of these, at the price that is set", { provider }),
  };
}

function serveFamilies(registry: Registry) {
  return {
    served: counter(registry, "http_requests_total", "Requests answered by serve", { route: [], status: [] }),
    servedDuration: histogram(
      registry,
      "http_request_duration_seconds",
      "From a request's headers to its answer",
      HTTP_SECONDS,
      { route: [] },
    ),
    webhooks: counter(registry, "webhooks_total", "Tries to tell an outcome: done, later, or park (given up)", {
      result: ["done", "later", "park"],
    }),
    webhookDuration: histogram(
      registry,
      "webhook_duration_seconds",
      "Duration of a try to tell an outcome",
      CALL_SECONDS,
    ),
  };
}

/** Told by one process for all, or by none: they have no value until they are set. */
function fleetFamilies(registry: Registry) {
  return {
    breaker: gauge(registry, "provider_breaker_state", "0 closed, 0.5 probing, 1 open", ["provider"]),
    allowedRate: gauge(registry, "provider_allowed_rate", "Calls a second that the fleet shares at present", [
      "provider",
    ]),
    items: gauge(registry, "batch_items", "Pages of the open batches, by state", ["state"]),
    lastProgress: gauge(registry, "batch_last_progress_timestamp_seconds", "When an outcome was last recorded", []),
    jobs: gauge(registry, "queue_jobs", "Jobs of card-images: waiting, active, or asleep until they may go on", [
      "state",
    ]),
    workers: gauge(registry, "queue_workers", "Workers that take jobs", []),
    unread: gauge(registry, "outcomes_unread", "Outcomes of open batches that are not written down yet", []),
    redisMemory: gauge(registry, "redis_memory_bytes", "Memory that Redis uses", []),
    schedules: gauge(registry, "schedules", "Schedules that there are", []),
    schedulesLate: gauge(
      registry,
      "schedules_late",
      "Schedules that wait for a success for longer than they allow",
      [],
    ),
    schedulesRunning: gauge(registry, "schedules_running", "Schedules with a run that has begun and not ended", []),
    scheduleOverdue: gauge(
      registry,
      "schedule_overdue_seconds",
      "How long a due run has not succeeded; the longest",
      [],
    ),
    scheduleSuccess: gauge(
      registry,
      "schedule_last_success_timestamp_seconds",
      "When a run last succeeded, of the schedule for which that is longest ago",
      [],
    ),
    redisMaxMemory: gauge(registry, "redis_max_memory_bytes", "Memory that Redis may use; none: not limited", []),
  };
}

/** @param labels each with all the values that it can have; none: they are not known beforehand */
function counter(registry: Registry, name: string, help: string, labels: Labels = {}): Counter {
  const made = new Counter({
    name: `cardbatch_${name}`,
    help,
    labelNames: Object.keys(labels),
    registers: [registry],
  });
  if (Object.keys(labels).length > 0) for (const set of labelSets(labels)) made.inc(set, 0);
  return made;
}

function histogram(registry: Registry, name: string, help: string, buckets: number[], labels: Labels = {}): Histogram {
  const made = new Histogram({
    name: `cardbatch_${name}`,
    help,
    buckets,
    labelNames: Object.keys(labels),
    registers: [registry],
  });
  if (Object.keys(labels).length > 0) for (const set of labelSets(labels)) made.zero(set);
  return made;
}

/** Without labels, too, a gauge says nothing until it is set. */
function gauge(registry: Registry, name: string, help: string, labelNames: readonly string[]): Gauge {
  const made = new Gauge({ name: `cardbatch_${name}`, help, labelNames: [...labelNames], registers: [registry] });
  if (labelNames.length === 0) made.remove({});
  return made;
}

type Labels = Readonly<Record<string, readonly string[]>>;

/** Every combination of the labels' values. */
function labelSets(labels: Labels): Record<string, string>[] {
  return Object.entries(labels).reduce<Record<string, string>[]>(
    (sets, [name, values]) => sets.flatMap((set) => values.map((value) => ({ ...set, [name]: value }))),
    [{}],
  );
}
