import type { Ending } from "../../app/watch-run.js";
import { ERROR_CATALOGUE, isErrorCode } from "../../domain/errors.js";
import type { OutcomeRecord } from "../../domain/record.js";
import { wilson } from "../../evaluate/wilson.js";
import { escaped, minute, page, percent, table } from "../../pages/html.js";
import type { Accuracy, Score } from "../../results/accuracy.js";
import type { Summary } from "../../results/summary.js";
import { count, duration, money, plural } from "../format.js";
import { shareBar, timeChart } from "./charts.js";
import type { RunStory } from "./run-log.js";
import { REPORT_STYLE } from "./style.js";

export interface Report {
  readonly summary: Summary;
  readonly accuracy: Accuracy | null;
  readonly story: RunStory;
  readonly ending: Ending["kind"];
  /** Some outcomes of each kind; numbers in them are masked. */
  readonly examples: readonly OutcomeRecord[];
  readonly version: string;
}

/** A run as one page to forward: it loads nothing, and holds no card number in the clear. */
export function reportPage(report: Report): string {
  const { summary, version } = report;
  const body = [
    heading(report),
    tiles(report),
    outcomes(summary),
    course(report.story),
    latencies(report.story),
    calls(report),
    failures(summary),
    reasons(report.story),
    accuracy(report.accuracy),
    golden(report.story),
    examples(report.examples),
    `<p class="muted foot">Written by cardbatch ${escaped(version)}. Card numbers are masked here and encrypted in the results;
the keyring opens them again. Keep a copy of it: <code>${escaped(summary.keyring)}</code></p>`,
  ];
  return page({ title: `cardbatch: ${summary.batch}`, style: REPORT_STYLE }, body.join("\n"));
}

const ENDINGS: Readonly<Record<Ending["kind"], string>> = {
  complete: "The batch is complete: every page has its outcome.",
  interrupted: "The run was interrupted; run it again and it goes on where it was.",
  "provider-stopped":
    "The run stopped: the provider takes no calls until somebody changes something about the account.",
  "provider-unavailable":
    "The run stopped: the provider has not answered for longer than was waited for. Run it again.",
  cancelled: "Somebody cancelled the batch; run its sources again to go on.",
  "budget-spent": "The run stopped: no call is left in the batch's budget. Run it again with a higher one.",
  lost: "Some pages have no outcome although nothing is left to do. Run it again.",
};

function heading({ summary, ending }: Report): string {
  return `<h1>${plural(summary.found, "page")} in batch ${escaped(summary.batch)}</h1>
<p class="muted">${minute(new Date(summary.finishedAt))}, after ${duration(summary.seconds * 1000)}</p>
<p class="ending ${ending === "complete" ? "good" : "bad"}">${ENDINGS[ending]}</p>`;
}

/** Name, figure and note. */
type Tile = [string, string, string];

function tiles({ summary, story }: Report): string {
  const { found, accepted, review, failed, rejected, thisRun } = summary;
  const read = Math.max(found - summary.pending, 1);
  const first = story.latencies[0];
  const all: Tile[] = [
    ["accepted", percent(accepted / read), `${count(accepted)} without anybody looking`],
    ["to review", percent(review / read), `${count(review)} for a person to look at`],
    ["not read", count(failed + rejected), `${count(failed)} failed, ${count(rejected)} rejected`],
    ...(thisRun.calls === 0 ? [] : [speed(thisRun.calls, summary.seconds)]),
    ["cost", money(summary.cost), `${plural(summary.billableCalls, "billable call")} in all`],
    ...(first === undefined
      ? []
      : [["a call took", duration(first.p50), `95 % within ${duration(first.p95)}`] satisfies Tile]),
  ];
  const items = all.map(
    ([name, value, note]) =>
      `<div><dt>${name}</dt><dd><b>${escaped(value)}</b><span>${escaped(note)}</span></dd></div>`,
  );
  return `<dl class="tiles">${items.join("")}</dl>`;
}

function speed(calls: number, seconds: number): Tile {
  return ["calls a second", (calls / Math.max(seconds, 0.001)).toFixed(1), `${plural(calls, "call")} in this run`];
}

function outcomes(summary: Summary): string {
  const names = ["accepted", "review", "duplicate", "rejected", "failed", "pending"] as const;
  const shares = names.map((name) => ({ name, value: summary[name], color: `--${name}` }));
  const rows = shares
    .filter(({ value }) => value > 0)
    .map(({ name, value, color }) => {
      const share = percent(value / Math.max(summary.found, 1));
      return `<tr><td class="name"><span class="dot" style="--color:var(${color})"></span>${name}</td><td>${MEANINGS[name]}</td><td class="n">${count(value)}</td><td class="n">${share}</td></tr>`;
    });
  const said = shares.map(({ name, value }) => `${name} ${count(value)}`).join(", ");
  return `<h2>Outcomes</h2>
${shareBar(`Outcomes: ${said}`, shares)}
<div class="wide" tabindex="0" role="group" aria-label="table: outcomes"><table>
<thead><tr><th scope="col">outcome</th><th scope="col">means</th><th scope="col" class="n">pages</th><th scope="col" class="n">share</th></tr></thead>
<tbody>${rows.join("\n")}</tbody>
</table></div>`;
}

const MEANINGS = {
  accepted: "read with confidence, the check digit right",
  review: "read, but a person should look",
  duplicate: "the same image as another of the batch; not paid for again",
  rejected: "no card number to be seen",
  failed: "could not be read; see below what to do",
  pending: "without an outcome so far",
} as const;

/** A limit so many times higher than what was reached would press that to the ground. */
const MOST_ABOVE = 5;

function course({ points }: RunStory): string {
  if (points.length === 0) return "";
  const ends = points.map(({ toMs }) => toMs);
  const allowed = points.map(({ allowedRate }) => allowedRate);
  const mostAllowed = Math.max(0, ...allowed.filter((rate) => rate !== null));
  const mostSeen = Math.max(...points.flatMap((point) => [point.callsPerSecond, point.pagesPerSecond]));
  const isDrawn = mostAllowed > 0 && mostAllowed <= MOST_ABOVE * mostSeen;
  const allows =
    mostAllowed === 0
      ? ""
      : isDrawn
        ? ", beside what the account allows"
        : `; the account allows ${count(mostAllowed)} calls`;
  const chart = timeChart(`Calls and pages a second${allows}`, ends, [
    { name: "calls a second", color: "--one", values: points.map(({ callsPerSecond }) => callsPerSecond) },
    { name: "pages a second", color: "--accepted", values: points.map(({ pagesPerSecond }) => pagesPerSecond) },
    ...(isDrawn ? [{ name: "calls allowed", color: "--two", isDashed: true, values: allowed } as const] : []),
  ]);
  return `<h2>Throughput</h2>\n${chart}`;
}

function latencies({ latencies: all }: RunStory): string {
  if (all.length === 0) return "";
  const rows = all.map(({ provider, calls: its, p50, p90, p95, p99, max }) => [
    provider,
    count(its),
    ...[p50, p90, p95, p99, max].map(duration),
  ]);
  return `<h2>How long calls took</h2>\n${table(["provider", "calls", "half within", "90 %", "95 %", "99 %", "longest"], rows)}`;
}

function calls({ summary, story }: Report): string {
  const rows = Object.entries(summary.providers).map(([name, its]) => [
    name,
    count(its.calls),
    count(its.billableCalls),
    count(its.uncertainCalls),
    money(its.cost),
  ]);
  if (rows.length === 0) return "<h2>Calls and cost</h2>\n<p>No call was needed.</p>";
  const isAssumed = Object.values(summary.providers).some(({ billing }) => billing === "assumed");
  const troubles = [...story.results].flatMap(([provider, results]) =>
    [...results].flatMap(([result, times]) => (isErrorCode(result) ? [`${provider} ${result} ${count(times)} ×`] : [])),
  );
  const notes = [
    isAssumed ? "Where a vendor does not say what it bills, every answered call is taken as billed." : "",
    summary.uncertainCost > 0 ? `Uncertain calls may have cost up to ${money(summary.uncertainCost)} more.` : "",
    summary.budget === null ? "" : `The budget is ${money(summary.budget)}.`,
    summary.maxCalls === null ? "" : `At most ${plural(summary.maxCalls, "billable call")} may be made.`,
    troubles.length === 0 ? "" : `Calls of this run that brought no reading: ${troubles.join(", ")}.`,
  ].filter((note) => note !== "");
  return `<h2>Calls and cost</h2>
${table(["provider", "calls", "billable", "uncertain", "cost"], rows)}${notes.length === 0 ? "" : `<p>${escaped(notes.join(" "))}</p>`}`;
}

function failures({ failures: codes }: Summary): string {
  const all = Object.entries(codes).sort(([, a], [, b]) => b - a);
  if (all.length === 0) return "";
  const rows = all.map(([code, times]) => [code, isErrorCode(code) ? ERROR_CATALOGUE[code].hint : "", count(times)]);
  return `<h2>What failed, and what to do</h2>\n${table(["code", "what to do", "pages"], rows, 2)}`;
}

function reasons(story: RunStory): string {
  if (story.reasons.size === 0) return "";
  const rows = [...story.reasons].sort(([, a], [, b]) => b - a).map(([reason, times]) => [reason, count(times)]);
  return `<h2>Why pages were not accepted</h2>
<p class="muted">Of this run; a page may have several reasons.</p>
${table(["reason", "pages"], rows)}`;
}

function accuracy(measured: Accuracy | null): string {
  if (measured === null || measured.pages === 0) return "";
  const { number, expiryDate, issueDate, bank, type, accepted, wrongAccepts } = measured;
  const scores: [string, Score][] = [
    ["whole number", number],
    ["expiry date", expiryDate],
    ["issue date", issueDate],
    ["bank", bank],
    ["type", type],
  ];
  const rows = scores
    .filter(([, { labelled }]) => labelled > 0)
    .map(([name, { right, labelled }]) => {
      const [low, high] = wilson(right, labelled);
      return [name, count(right), count(labelled), percent(right / labelled), `${percent(low)} to ${percent(high)}`];
    });
  const [, most] = wilson(wrongAccepts, accepted);
  const wrong = `${plural(wrongAccepts, "wrong number")} among ${count(accepted)} accepted${accepted === 0 ? "" : `; in the long run at most ${percent(most)} (95 %)`}.`;
  return `<h2>Accuracy</h2>
<p>Held against ${plural(measured.pages, "labelled page")}. ${wrong}</p>
${table(["", "right", "of", "share", "95 % interval"], rows)}`;
}

function golden({ golden: its }: RunStory): string {
  if (its.calls === 0) return "";
  return `<h2>Golden images</h2>
<p>${plural(its.cards, "labelled image")} of the golden set were called for besides, in no figure above: ${count(its.wrong)} read wrong,
${count(its.wrongAccepts)} of them would have been accepted. ${plural(its.billableCalls, "billable call")}.</p>`;
}

function examples(records: readonly OutcomeRecord[]): string {
  if (records.length === 0) return "";
  const rows = records.map(({ outcome, image, cards, reasons: why, code }) => [
    outcome,
    image.page === 0 ? image.source : `${image.source}, page ${image.page}`,
    cards.map(({ number }) => number?.masked ?? "no number").join(", "),
    cards.map(({ bank }) => bank?.name ?? "").join(", "),
    [...why, ...(code === undefined ? [] : [code])].join(", "),
  ]);
  return `<h2>Examples</h2>\n${table(["outcome", "image", "number", "bank", "why"], rows, 5)}`;
}
