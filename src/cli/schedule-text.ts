import type { NightReport } from "../app/nightly.js";
import type { tellSchedule } from "../app/scheduling.js";
import type { EndedRun, Schedule } from "../domain/schedule.js";
import { count, duration, plural } from "./format.js";

type Told = ReturnType<typeof tellSchedule>;

/** What `schedule add` says. */
export function addedText({ name, cron, tz, out, report }: Schedule, next: string, isNew: boolean): string {
  return [
    `schedule ${name}: ${isNew ? "added" : "changed"}; "${cron}" in ${tz}, next ${inZone(next, tz)}`,
    `results go to ${out}, reports to ${report}`,
    `a worker or serve that runs has it run; at once: cardbatch schedule run-now ${name}`,
  ].join("\n");
}

/** One schedule for people, in a few lines. */
export function scheduleText({
  schedule,
  cron,
  tz,
  next,
  running,
  last,
  lastSuccess,
  late,
  overdueSince,
  refused,
  out,
}: Told): string {
  const lines = [
    `${schedule}${late ? "  LATE" : ""}`,
    `  ${"when".padEnd(9)}"${cron}" in ${tz}; next ${next === null ? "never" : inZone(next, tz)}`,
    `  ${"out".padEnd(9)}${out}`,
  ];
  if (running !== null) lines.push(`  ${"now".padEnd(9)}running since ${inZone(isoOf(running.startedAtMs), tz)}`);
  lines.push(`  ${"last".padEnd(9)}${last === null ? "none has ended yet" : lastText(last, tz)}`);
  if (last?.result === "failed")
    lines.push(`  ${"success".padEnd(9)}${lastSuccess === null ? "never yet" : inZone(lastSuccess, tz)}`);
  if (overdueSince !== null) lines.push(`  ${"overdue".padEnd(9)}since ${inZone(overdueSince, tz)}`);
  if (refused > 0)
    lines.push(`  ${"refused".padEnd(9)}${plural(refused, "due run")}: the one before was still going on`);
  return lines.join("\n");
}

/** How a run ended that somebody waited for. */
export function endedText({ schedule, result, reason, opened, unchanged, calls, summary }: NightReport): string {
  const what = `${plural(opened, "file")} opened, ${count(unchanged)} unchanged, ${plural(calls, "call")}`;
  const failed = (summary?.failed ?? 0) > 0 ? `; ${plural(summary?.failed ?? 0, "page")} of all failed` : "";
  return `schedule ${schedule}: ${result}${reason === null ? "" : ` (${reason})`}; ${what}${failed}`;
}

function lastText(
  { result, reason, startedAtMs, endedAtMs, opened, unchanged, calls, missed, byHand }: EndedRun,
  tz: string,
): string {
  const took = `${inZone(isoOf(startedAtMs), tz)}, ${duration(endedAtMs - startedAtMs)}`;
  const how = byHand ? ", by hand" : missed > 0 ? `, made up ${plural(missed, "missed run")} too` : "";
  const why = reason === null ? "" : `: ${reason}`;
  return `${result} (${took}${how}): ${plural(opened, "file")} opened, ${count(unchanged)} unchanged, ${plural(calls, "call")}${why}`;
}

/** `2026-11-23 02:00`, by the clock of the zone. */
function inZone(iso: string, tz: string): string {
  const format = new Intl.DateTimeFormat("sv-SE", { timeZone: tz, dateStyle: "short", timeStyle: "short" });
  return format.format(new Date(iso));
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}
