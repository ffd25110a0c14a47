import type { ProviderName } from "../domain/answer.js";
import type { CardbatchEvent } from "../domain/events.js";
import { type FleetPace, type FleetState, JOB_STATES } from "../domain/fleet.js";
import type { OutcomeRecord } from "../domain/record.js";
import { createFamilies, type Families, IMAGE_REASONS, ITEM_STATES } from "./families.js";

/** The metrics of this process, all in one registry of its own. Counters are this process's; gauges are the fleet's. */
export interface Metrics {
  observe(event: CardbatchEvent): void;
  /** What is true of the whole fleet, told by this process for all; null: another tells it. */
  setFleet(state: Partial<FleetState> | null): void;
  countScrubbed(hits: number): void;
  /** In the text format of Prometheus. */
  text(): Promise<string>;
}

type Prices = Readonly<Partial<Record<ProviderName, number>>>;
type Called = Extract<CardbatchEvent, { type: "called" }>;

/** @param prices of one billable call */
export function createMetrics(version: string, prices: Prices = {}): Metrics {
  const families = createFamilies(version);
  return {
    observe: (event) => observe(families, prices, event),
    setFleet: (state) => setFleet(families, state),
    countScrubbed: (hits) => families.scrubbed.inc(hits),
    text: () => families.registry.metrics(),
  };
}

function observe(families: Families, prices: Prices, event: CardbatchEvent): void {
  switch (event.type) {
    case "enqueued":
      families.enqueued.inc(event.count);
      break;
    case "job-started":
      families.queueWait.observe(event.waitedMs / 1000);
      break;
    case "turn-taken":
      families.paceWait.observe({ provider: event.provider }, event.waitedMs / 1000);
      break;
    case "called":
      observeCall(families, prices[event.provider] ?? 0, event);
      break;
    case "golden":
      families.goldenCards.inc({ provider: event.provider, match: event.match });
      if (event.isAccepted && event.match !== "exact") families.goldenWrongAccepts.inc({ provider: event.provider });
      break;
    case "finished":
      families.jobDuration.observe(event.durationMs / 1000);
      observeRecord(families, event.record);
      break;
    case "recorded":
    case "followed":
      families.sinkWrites.inc({ sink: event.sink, result: "ok" }, event.count);
      break;
    case "sink-failed":
      families.sinkWrites.inc({ sink: event.sink, result: "failed" });
      break;
    case "served":
      families.served.inc({ route: event.route, status: String(event.status) });
      families.servedDuration.observe({ route: event.route }, event.durationMs / 1000);
      break;
    case "schedule-ended":
      families.scheduleRuns.inc({ result: event.result });
      families.scheduleFiles.inc({ state: "opened" }, event.opened);
      families.scheduleFiles.inc({ state: "unchanged" }, event.unchanged);
      break;
    case "schedule-refused":
      families.scheduleRuns.inc({ result: "refused" });
      break;
    case "webhook-sent":
      families.webhooks.inc({ result: event.result });
      families.webhookDuration.observe(event.durationMs / 1000);
      break;
  }
}

/** Golden calls are calls, and shown apart besides. */
function observeCall(families: Families, price: number, call: Called): void {
  const { provider, result, durationMs } = call;
  families.calls.inc({ provider, result });
  families.callDuration.observe({ provider }, durationMs / 1000);
  if (call.uncertain) families.uncertain.inc({ provider });
  if (call.isGolden === true) families.goldenCalls.inc({ provider });
  if (!call.billable) return;
  families.billable.inc({ provider });
  families.cost.inc({ provider }, price);
  if (call.isGolden !== true) return;
  families.goldenBillable.inc({ provider });
  families.goldenCost.inc({ provider }, price);
}

function observeRecord({ finished, failures, rejectedImages, luhn, confidence }: Families, record: OutcomeRecord) {
  finished.inc({ outcome: record.outcome });
  const { code } = record;
  if (code !== undefined && record.outcome === "failed") failures.inc({ code });
  if (code !== undefined && IMAGE_REASONS.includes(code)) rejectedImages.inc({ reason: code });
  const provider = record.provider?.name;
  if (provider === undefined || record.outcome === "duplicate") return;
  for (const card of record.cards) {
    if (card.number !== null) luhn.inc({ provider, result: card.number.luhn ? "valid" : "invalid" });
    for (const [field, value] of Object.entries(card.confidence)) {
      if (value !== null) confidence.observe({ provider, field }, value);
    }
  }
}

function setFleet(families: Families, state: Partial<FleetState> | null): void {
  const {
    pages,
    lastProgressMs,
    paces = [],
    jobs,
    workers,
    unread,
    redisMemory,
    redisMaxMemory,
    schedules,
  } = state ?? {};
  const { items, lastProgress, allowedRate, breaker } = families;
  for (const gauge of [items, allowedRate, breaker, families.jobs]) gauge.reset();
  if (pages !== undefined) for (const each of ITEM_STATES) items.set({ state: each }, pages[each]);
  if (jobs !== undefined) for (const each of JOB_STATES) families.jobs.set({ state: each }, jobs[each]);
  for (const [provider, its] of byProvider(paces)) {
    const rate = its.reduce((sum, pace) => sum + pace.rate, 0);
    allowedRate.set({ provider }, rate);
    breaker.set({ provider }, Math.max(...its.map((pace) => BREAKER_VALUES[pace.breaker])));
  }
  const single = [
    [lastProgress, lastProgressMs == null ? undefined : lastProgressMs / 1000],
    [families.workers, workers],
    [families.unread, unread],
    [families.redisMemory, redisMemory],
    [families.redisMaxMemory, redisMaxMemory ?? undefined],
    [families.schedules, schedules?.count],
    [families.schedulesLate, schedules?.late],
    [families.schedulesRunning, schedules?.running],
    [families.scheduleOverdue, schedules === undefined ? undefined : schedules.overdueMs / 1000],
    [families.scheduleSuccess, schedules?.lastSuccessMs == null ? undefined : schedules.lastSuccessMs / 1000],
  ] as const;
  for (const [gauge, value] of single) {
    if (value === undefined) gauge.remove();
    else gauge.set(value);
  }
}

const BREAKER_VALUES = { closed: 0, probing: 0.5, open: 1 } as const;

/** Accounts of one provider are not told apart. */
function byProvider(paces: readonly FleetPace[]): ReadonlyMap<ProviderName, readonly FleetPace[]> {
  const names = new Set(paces.map(({ provider }) => provider));
  return new Map([...names].map((name) => [name, paces.filter(({ provider }) => provider === name)]));
}
