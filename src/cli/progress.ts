import type { RunProgress } from "../app/run-batch.js";
import type { CardbatchEvent } from "../domain/events.js";
import { count, duration } from "./format.js";
import { createPaint, type Terminal } from "./terminal.js";

/** Where there is no terminal to redraw a line on, one is written this often. */
const PLAIN_EVERY_MS = 5000;
const RATE_WINDOW_MS = 10_000;

export interface Progress {
  observe(event: CardbatchEvent): void;
  show(progress: RunProgress): void;
  done(): void;
}

/** What a run is doing, as one line: how far, what came of it, how fast against what is allowed, how long still. */
export function createProgress(terminal: Terminal): Progress {
  const paint = createPaint(terminal.color);
  const pace = createMeter();
  let lastPlainMs = performance.now();
  let waitingFor: { text: string; untilMs: number } | null = null;

  return {
    observe: (event) => {
      if (event.type === "called") pace.add();
      if (event.type === "held") {
        const text = `${event.provider} asked for a pause of ${duration(event.forMs)}`;
        waitingFor = { text, untilMs: performance.now() + event.forMs };
      }
    },
    show: (progress) => {
      const now = performance.now();
      if (!terminal.isTty && now - lastPlainMs < PLAIN_EVERY_MS) return;
      lastPlainMs = now;
      if (waitingFor !== null && now > waitingFor.untilMs) waitingFor = null;
      const parts = describe(progress, pace.perSecond(), waitingFor?.text ?? null);
      if (terminal.isTty) terminal.live(clip(parts.join(" · "), terminal.columns(), paint.bold));
      else terminal.message(parts.join(", "));
    },
    done: () => terminal.live(null),
  };
}

function describe({ counts, feed, allowedRate }: RunProgress, perSecond: number, waitingFor: string | null): string[] {
  const ended = counts.found - counts.pending;
  const total = counts.fed ? count(counts.found) : `${count(counts.found)}+`;
  const { accepted, review, rejected, failed, duplicate } = counts.outcomes;
  const outcomes = Object.entries({ accepted, review, rejected, failed, duplicate })
    .filter(([, value]) => value > 0)
    .map(([outcome, value]) => `${count(value)} ${outcome}`);
  const speed =
    allowedRate === null ? `${perSecond.toFixed(1)}/s` : `${perSecond.toFixed(1)} of ${allowedRate} calls/s`;
  const parts = [`${count(ended)}/${total}`, ...outcomes, speed];
  const rate = allowedRate ?? perSecond;
  if (counts.fed && counts.pending > 0 && rate > 0)
    parts.push(`about ${duration((counts.pending / rate) * 1000)} left`);
  if (!counts.fed && !feed.waiting) parts.push("listing");
  if (waitingFor !== null) parts.push(waitingFor);
  return parts;
}

/** Calls a second over the last ten. */
function createMeter() {
  let times: number[] = [];
  const startedAt = performance.now();
  return {
    add: () => void times.push(performance.now()),
    perSecond: () => {
      const now = performance.now();
      times = times.filter((at) => now - at < RATE_WINDOW_MS);
      return times.length / (Math.min(Math.max(now - startedAt, 1000), RATE_WINDOW_MS) / 1000);
    },
  };
}

function clip(line: string, columns: number, first: (text: string) => string): string {
  const cut = line.length < columns ? line : `${line.slice(0, Math.max(columns - 2, 0))}…`;
  const end = cut.indexOf(" ");
  return end < 0 ? cut : first(cut.slice(0, end)) + cut.slice(end);
}
