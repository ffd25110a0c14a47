import type { RunProgress } from "../app/watch-run.js";
import type { BatchCounts } from "../domain/batch.js";
import { type ErrorCode, OUTAGE_CODES } from "../domain/errors.js";
import type { CardbatchEvent } from "../domain/events.js";
import { amountText } from "../domain/money.js";
import type { PaceChange } from "../domain/pace.js";
import type { CallWindow } from "../domain/window.js";
import { count, duration } from "./format.js";
import { createPaint, type Terminal } from "./terminal.js";

/** Where there is no terminal to redraw a line on, one is written this often. */
const PLAIN_EVERY_MS = 5000;
/** How far back the calls a second are counted, and the pages a second that tell how long it will take still. */
const SPEED_WINDOW_MS = 10_000;
const ESTIMATE_WINDOW_MS = 60_000;
/** Before that, what was measured says nothing. */
const SHORTEST_MEASURE_MS = 3000;
/** A provider that has not answered for so long is told of. */
const SILENCE_MS = 5000;

export interface Progress {
  observe(event: CardbatchEvent): void;
  show(progress: RunProgress): void;
  done(): void;
}

/**
 * What a run is doing, as one line: how far, what came of it, how fast against what is allowed, how long still.
 * @param now milliseconds of a clock that only goes forward
 */
export function createProgress(terminal: Terminal, now: () => number = () => performance.now()): Progress {
  const paint = createPaint(terminal.color);
  const meter = createMeter();
  const waiting = createWaiting(now());
  let calls = 0;
  let lastPlainMs = now();

  return {
    observe: (event) => {
      if (event.type === "called") calls++;
      waiting.observe(event, now());
    },
    show: (progress) => {
      const atMs = now();
      meter.add({ atMs, calls, done: progress.counts.found - left(progress) });
      if (!terminal.isTty && atMs - lastPlainMs < PLAIN_EVERY_MS) return;
      lastPlainMs = atMs;
      const parts = describe(progress, meter, waiting.text(atMs));
      if (terminal.isTty) terminal.live(clip(parts.join(" · "), terminal.columns(), paint.bold));
      else terminal.message(parts.join(", "));
    },
    done: () => terminal.live(null),
  };
}

/** Pages without an outcome, or with one that has to be judged anew. */
function left({ counts }: RunProgress): number {
  return counts.pending + Math.max(counts.stale, 0);
}

function describe(progress: RunProgress, meter: Meter, waitingFor: string | null): string[] {
  const { counts, feed, allowedRate, closedUntilMs, window } = progress;
  const total = counts.fed ? count(counts.found) : `${count(counts.found)}+`;
  const { accepted, review, rejected, failed, duplicate } = counts.outcomes;
  const outcomes = Object.entries({ accepted, review, rejected, failed, duplicate })
    .filter(([, value]) => value > 0)
    .map(([outcome, value]) => `${count(value)} ${outcome}`);
  const speed = meter.callsPerSecond().toFixed(1);
  const parts = [
    `${count(counts.found - left(progress))}/${total}`,
    ...outcomes,
    allowedRate === null ? `${speed} calls/s` : `${speed} of ${Math.round(allowedRate * 10) / 10} calls/s`,
  ];
  const remainingMs =
    counts.fed && counts.halt === null ? estimate(left(progress), meter.pagesPerSecond() ?? allowedRate) : null;
  if (remainingMs !== null) parts.push(`about ${duration(remainingMs)} left`);
  parts.push(...describeMoney(counts));
  if (!counts.fed && !feed.waiting) parts.push("listing");
  if (closedUntilMs !== null && window !== null) parts.push(describeWindow(window, closedUntilMs));
  if (counts.halt === "paused") parts.push("paused");
  else if (waitingFor !== null) parts.push(waitingFor);
  return parts;
}

/** Where there are neither prices nor limits there is nothing to say. */
function describeMoney({ money, providers }: BatchCounts): string[] {
  const { maxCalls, budget } = money.limits;
  const billable = Object.values(providers).reduce((sum, its) => sum + its.billableCalls, 0);
  const cost =
    money.cost > 0 || budget !== null ? [`cost ${amountText(money.cost)}${ofLimit(budget, amountText)}`] : [];
  const calls = maxCalls === null ? [] : [`${count(billable)}${ofLimit(maxCalls, count)} billable calls`];
  return [...cost, ...calls, ...(money.spent ? ["no call left in the limits"] : [])];
}

function ofLimit(limit: number | null, text: (value: number) => string): string {
  return limit === null ? "" : ` of ${text(limit)}`;
}

/** `outside the window until 22:00 (Asia/Shanghai)` */
export function describeWindow({ tz }: CallWindow, opensAtMs: number): string {
  const clock = new Intl.DateTimeFormat("en", { timeZone: tz, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  return `outside the window until ${clock.format(opensAtMs)} (${tz})`;
}

/** Null: nothing is left, or nothing can be said because nothing moves. */
function estimate(pages: number, perSecond: number | null): number | null {
  if (pages <= 0 || perSecond === null || perSecond <= 0) return null;
  return Math.max((pages / perSecond) * 1000, 1000);
}

interface Sample {
  readonly atMs: number;
  /** Calls so far. */
  readonly calls: number;
  /** Pages that have their outcome. */
  readonly done: number;
}

type Meter = ReturnType<typeof createMeter>;

/**
 * How fast it goes. Pages are measured apart from calls: some need none, others several; and a vendor that throttles gives
 * less than is allowed.
 */
function createMeter() {
  let samples: Sample[] = [];
  const since = (windowMs: number) => {
    const last = samples.at(-1);
    const first = last && samples.find(({ atMs }) => last.atMs - atMs <= windowMs);
    return first && { first, last, ms: last.atMs - first.atMs };
  };
  return {
    add: (sample: Sample) => {
      samples = [...samples.filter(({ atMs }) => sample.atMs - atMs <= ESTIMATE_WINDOW_MS), sample];
    },
    callsPerSecond: () => {
      const span = since(SPEED_WINDOW_MS);
      return span === undefined || span.ms === 0 ? 0 : (1000 * (span.last.calls - span.first.calls)) / span.ms;
    },
    /** Null: not measured for long enough. */
    pagesPerSecond: () => {
      const span = since(ESTIMATE_WINDOW_MS);
      if (span === undefined || span.ms < SHORTEST_MEASURE_MS) return null;
      return (1000 * (span.last.done - span.first.done)) / span.ms;
    },
  };
}

/** What the run waits for: a pause that a vendor asked for, or one that does not answer. */
function createWaiting(startedAtMs: number) {
  let pause: { readonly text: string; readonly untilMs: number } | null = null;
  let trouble: string | null = null;
  let lastAnswerMs = startedAtMs;
  return {
    observe: (event: CardbatchEvent, atMs: number) => {
      if (event.type === "pace-changed") {
        pause = describeChange(event.provider, event.change, atMs);
      } else if (event.type === "put-back" && OUTAGE_CODES.has(event.code)) {
        trouble = event.code;
      } else if (event.type === "called" && !OUTAGE_CODES.has(event.result as ErrorCode)) {
        trouble = null;
        lastAnswerMs = atMs;
      }
    },
    text: (atMs: number): string | null => {
      if (pause !== null && atMs <= pause.untilMs) return pause.text;
      const silenceMs = atMs - lastAnswerMs;
      return trouble === null || silenceMs < SILENCE_MS ? null : `${trouble} for ${duration(silenceMs)}, trying again`;
    },
  };
}

function describeChange(provider: string, change: NonNullable<PaceChange>, atMs: number) {
  switch (change.kind) {
    case "lowered":
      if (change.heldMs === 0) return null;
      return { text: `${provider} asked for a pause of ${duration(change.heldMs)}`, untilMs: atMs + change.heldMs };
    case "breaker-opened":
      return { text: `${provider} answers nobody (${change.code}), looking again`, untilMs: atMs + change.heldMs };
    case "breaker-closed":
      return null;
  }
}

function clip(line: string, columns: number, first: (text: string) => string): string {
  const cut = line.length < columns ? line : `${line.slice(0, Math.max(columns - 2, 0))}…`;
  const end = cut.indexOf(" ");
  return end < 0 ? cut : first(cut.slice(0, end)) + cut.slice(end);
}
