import { join } from "node:path";
import type { Ending } from "../app/watch-run.js";
import { ERROR_CATALOGUE, type ErrorCode } from "../domain/errors.js";
import { maskReference } from "../domain/find-pans.js";
import type { Accuracy, Score } from "../results/accuracy.js";
import type { Summary } from "../results/summary.js";
import { count, duration, money, plural, wrap } from "./format.js";
import type { Paint } from "./terminal.js";

const MOST_SOURCES = 5;

export interface SummaryText {
  readonly summary: Summary;
  readonly accuracy: Accuracy | null;
  readonly truth: string | null;
  readonly sources: readonly string[];
  readonly folder: string;
  readonly ending: Ending;
}

/**
 * The summary as a person reads it, and may forward it.
 * @param columns where lines end; what is longer goes on below itself
 */
export function summaryText(input: SummaryText, paint: Paint, columns = Number.POSITIVE_INFINITY): string {
  const { summary } = input;
  const rows: [string, string][] = [
    ["sources", sources(input.sources)],
    ["batch", `${summary.batch}${summary.complete ? "" : paint.yellow("  not complete")}`],
    ["pages", pages(summary, paint)],
    ["calls", calls(summary)],
    ...cost(summary),
    ["time", time(summary)],
    ...failures(summary),
    ...accuracyRows(input, paint),
    ["results", join(input.folder, "results.ndjson")],
    ["failures", join(input.folder, "failures.ndjson")],
    ["report", join(input.folder, "report.html")],
    ["keyring", summary.keyring],
    ["", "back it up: without it no number can be read again"],
  ];
  const width = Math.max(...rows.map(([label]) => label.length));
  const indent = width + 4;
  const lines = rows.map(
    ([label, text]) =>
      `  ${paint.dim(label.padEnd(width))}  ${wrap(text, columns - indent).join(`\n${" ".repeat(indent)}`)}`,
  );
  return ["", ...lines, ...ending(input.ending, paint), ""].join("\n");
}

/** A pattern that the shell has spelled out can be thousands of files. */
function sources(names: readonly string[]): string {
  const more = names.length - MOST_SOURCES;
  const shown = names.slice(0, MOST_SOURCES).map(maskReference).join(", ");
  return more > 0 ? `${shown} and ${count(more)} more` : shown;
}

function pages(summary: Summary, paint: Paint): string {
  const { accepted, review, rejected, failed, duplicate, pending } = summary;
  const parts = [
    paint.green(`${count(accepted)} accepted`),
    review > 0 ? paint.yellow(`${count(review)} review`) : "",
    rejected > 0 ? paint.yellow(`${count(rejected)} rejected`) : "",
    duplicate > 0 ? plural(duplicate, "duplicate") : "",
    failed > 0 ? paint.red(`${count(failed)} failed`) : "",
    pending > 0 ? paint.yellow(`${count(pending)} not done`) : "",
  ].filter((part) => part !== "");
  const ignored = summary.ignored > 0 ? paint.dim(`  (${plural(summary.ignored, "other file")} ignored)`) : "";
  return `${count(summary.found)} found: ${parts.join(", ")}${ignored}`;
}

function calls(summary: Summary): string {
  const parts = Object.entries(summary.providers).map(([name, { calls, billableCalls, uncertainCalls, billing }]) => {
    const billable = billing === "free" ? "free" : `${count(billableCalls)} billable`;
    const uncertain = uncertainCalls > 0 ? `, ${count(uncertainCalls)} uncertain` : "";
    const assumed = billing === "assumed" ? " (assumed: the vendor does not say what it bills)" : "";
    return `${name} ${count(calls)} (${billable}${uncertain})${assumed}`;
  });
  const earlier = summary.calls - summary.thisRun.calls;
  const these = summary.thisRun.calls;
  const now = earlier > 0 ? `; ${these === 0 ? "none" : count(these)} of them in this run` : "";
  return parts.length === 0 ? "none" : parts.join(", ") + now;
}

/** Where there are neither prices nor limits there is nothing to say. */
function cost(summary: Summary): [string, string][] {
  const { maxCalls, budget, uncertainCost } = summary;
  if (summary.cost === 0 && uncertainCost === 0 && maxCalls === null && budget === null) return [];
  const uncertain = uncertainCost > 0 ? ` and up to ${money(uncertainCost)} for uncertain calls` : "";
  const isAssumed = Object.values(summary.providers).some(({ billing, cost: its }) => billing === "assumed" && its > 0);
  const limits = [
    ...(budget === null ? [] : [`budget ${money(budget)}`]),
    ...(maxCalls === null ? [] : [`at most ${plural(maxCalls, "billable call")}`]),
  ];
  return [["cost", [money(summary.cost) + uncertain + (isAssumed ? " (assumed)" : ""), ...limits].join("; ")]];
}

function time(summary: Summary): string {
  const perSecond = summary.thisRun.calls / Math.max(summary.seconds, 0.001);
  const rate = summary.thisRun.calls > 0 ? `, ${perSecond.toFixed(1)} calls/s` : "";
  return `${duration(summary.seconds * 1000)}${rate}`;
}

function failures({ failures: codes }: Summary): [string, string][] {
  const rows = Object.entries(codes).sort(([, a], [, b]) => b - a);
  return rows.map(([code, times], i) => {
    const hint = ERROR_CATALOGUE[code as ErrorCode]?.hint ?? "";
    return [i === 0 ? "failed" : "", `${count(times)} × ${code}: ${hint}`];
  });
}

function accuracyRows({ summary, accuracy, truth }: SummaryText, paint: Paint): [string, string][] {
  if (accuracy === null || truth === null) return [];
  const { wrongAccepts, accepted } = accuracy;
  const among = `among ${count(accepted)} accepted${summary.duplicate > 0 ? ", duplicates with them" : ""}`;
  const wrong =
    wrongAccepts === 0 ? paint.green(`none wrong ${among}`) : paint.red(`${count(wrongAccepts)} wrong ${among}`);
  const missing = accuracy.missing > 0 ? `; ${plural(accuracy.missing, "labelled page")} not among the results` : "";
  const others = [
    ["issue date", accuracy.issueDate],
    ["expiry date", accuracy.expiryDate],
    ["bank", accuracy.bank],
    ["type", accuracy.type],
  ] as const;
  const fields = others
    .filter(([, score]) => score.labelled > 0)
    .map(([name, score]) => `${name} ${ofLabelled(score)}`);
  return [
    ["accuracy", `${ofLabelled(accuracy.number)} numbers exact, ${wrong}${missing}`],
    ["", [...fields, `against ${maskReference(truth)}`].join(", ")],
  ];
}

function ofLabelled({ right, labelled }: Score): string {
  const share = labelled === 0 ? "" : ` (${((100 * right) / labelled).toFixed(1)} %)`;
  return `${count(right)} of ${count(labelled)}${share}`;
}

function ending(end: Ending, paint: Paint): string[] {
  switch (end.kind) {
    case "complete":
      return [];
    case "interrupted":
      return ["", paint.yellow("  Stopped on request. Run the same command again to go on.")];
    case "cancelled":
      return ["", paint.yellow("  The batch was cancelled. Run the same command again to go on.")];
    case "provider-stopped":
    case "provider-unavailable":
      return ["", paint.red(`  ${end.error.message}: ${end.error.hint}.`), "  Run the same command again to go on."];
    case "budget-spent":
      return [
        "",
        paint.yellow("  No call is left in the batch's limits."),
        "  Run the same command again with a higher --max-calls or --budget to go on.",
      ];
    case "lost":
      return ["", paint.red("  Some pages have neither an outcome nor a job. Run the same command again.")];
  }
}
