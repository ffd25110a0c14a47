import type { BatchStatus, SinkLag, Status } from "../app/status.js";
import { amountText } from "../domain/money.js";
import { windowText } from "../domain/window.js";
import type { PaceStatus, ToldLimits } from "../queue/read-pace.js";
import { count, plural } from "./format.js";
import type { Paint } from "./terminal.js";

/** Of batches that have nothing to do any more so many are listed. */
const MOST_FINISHED = 10;

/** How everything stands, for a person. */
export function statusText(status: Status, paint: Paint): string {
  const open = status.batches.filter((batch) => !isComplete(batch));
  const finished = status.batches.filter(isComplete);
  const more = finished.length - MOST_FINISHED;
  const { images, answers } = status;
  const lines = [
    paint.bold("batches"),
    ...[...open, ...finished.slice(0, MOST_FINISHED)].flatMap((batch) => batchLines(batch, paint)),
    ...(status.batches.length === 0 ? ["  none"] : []),
    ...(more > 0 ? [`  and ${count(more)} more that are complete`] : []),
    paint.bold("providers"),
    ...status.providers.flatMap((pace) => paceLines(pace, paint)),
    ...(status.providers.length === 0 ? ["  none has been called"] : []),
    paint.bold("queue"),
    `  ${count(images.waiting)} waiting, ${count(images.active)} in work, ${count(images.asleep)} asleep; ${plural(images.workers, "worker")}`,
    paint.bold("ledger"),
    `  ${answers.exact ? "" : "about "}${plural(answers.answers, "answer")}, ${bytes(answers.answerBytes)} (${count(Math.round(answers.bytesPerAnswer))} B each)${perPage(status)}`,
  ];
  return lines.join("\n");
}

function isComplete({ counts }: BatchStatus): boolean {
  return counts.fed && counts.pending <= 0 && counts.stale <= 0;
}

function batchLines(status: BatchStatus, paint: Paint): string[] {
  const { batch, counts, unread } = status;
  const outcomes = Object.entries(counts.outcomes).filter(([, value]) => value > 0);
  const done = outcomes.map(([outcome, value]) => `${count(value)} ${outcome}`);
  const state = paintState(status, paint);
  const listed = counts.fed ? "" : ", still listing or interrupted";
  return [
    `  ${paint.bold(batch.name)}  ${state}`,
    `    ${[`${count(counts.found)} found`, ...done, `${count(counts.pending)} pending`].join(", ")}${listed}`,
    ...(counts.stale > 0 ? [`    ${count(counts.stale)} of them to be tried or judged again`] : []),
    ...(unread > 0 ? [`    ${plural(unread, "outcome")} not written down yet`] : []),
    ...status.sinks.map((sink) => `    sink ${sink.place}: ${sinkText(sink, paint)}`),
    ...callLines(status, paint),
    ...windowLines(status, paint),
  ];
}

function paintState(status: BatchStatus, paint: Paint): string {
  if (isComplete(status)) return paint.green("complete");
  const { isLive, counts } = status;
  return counts.halt === null ? (isLive ? "running" : "not running") : paint.yellow(counts.halt);
}

function sinkText({ bytes, outcomes }: SinkLag, paint: Paint): string {
  return bytes === 0 ? "has all that is written" : paint.yellow(`about ${plural(outcomes, "outcome")} behind`);
}

function callLines({ counts: { providers, money } }: BatchStatus, paint: Paint): string[] {
  const calls = Object.entries(providers).map(([name, its]) => {
    const uncertain = its.uncertainCalls > 0 ? `, ${count(its.uncertainCalls)} uncertain` : "";
    return `${name} ${plural(its.calls, "call")} (${count(its.billableCalls)} billable${uncertain})`;
  });
  const { maxCalls, budget } = money.limits;
  const limits = [
    ...(money.cost > 0 || budget !== null ? [`cost ${amountText(money.cost)}`] : []),
    ...(money.atRisk > 0 ? [`up to ${amountText(money.atRisk)} more for calls under way or uncertain`] : []),
    ...(budget === null ? [] : [`budget ${amountText(budget)}`]),
    ...(maxCalls === null ? [] : [`at most ${plural(maxCalls, "billable call")}`]),
    ...(money.spent ? [paint.yellow("no call left: run it again with a higher --max-calls or --budget")] : []),
  ];
  return [calls, limits].filter((parts) => parts.length > 0).map((parts) => `    ${parts.join(", ")}`);
}

function windowLines({ batch: { window }, opensAt }: BatchStatus, paint: Paint): string[] {
  if (window === null) return [];
  const hours = `window ${windowText(window)} ${window.tz}`;
  if (opensAt === null) return [`    ${hours}, open`];
  const clock = new Intl.DateTimeFormat("en", {
    timeZone: window.tz,
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  });
  return [`    ${hours}, ${paint.yellow(`outside the window until ${clock.format(opensAt)}`)}`];
}

function paceLines(pace: PaceStatus, paint: Paint): string[] {
  const { provider, account, limit, overridden, estimate, rate, told, heldUntil, breaker, because, stopped } = pace;
  if (told.length === 0 && !overridden && !stopped && breaker === "closed" && heldUntil === null)
    return [`  ${paint.bold(provider)} ${account}  nobody calls it at present`];
  const allowed = limit === null || limit === "auto" ? "as many calls/s as it takes" : `${rounded(limit)} calls/s`;
  const why = estimate === null ? "" : ", since it refused some";
  const present = typeof limit === "number" && rate >= limit ? "" : `, ${rounded(rate)} at present${why}`;
  const by = overridden ? ", set by `cardbatch rate`" : "";
  const until = heldUntil === null ? "" : ` until ${heldUntil.toISOString()}`;
  const state = stopped
    ? paint.red(`stopped: ${because}`)
    : breaker === "open"
      ? paint.red(`answers nobody (${because}); nobody calls${until}`)
      : breaker === "probing"
        ? paint.yellow("one call looks whether it answers again")
        : heldUntil === null
          ? null
          : paint.yellow(`asked for a pause${until}`);
  const differ = new Set(told.map(({ perSecond }) => perSecond)).size > 1;
  return [
    `  ${paint.bold(provider)} ${account}  ${allowed}${by}${present}${state === null ? "" : `; ${state}`}`,
    ...(differ ? told.map((its) => `    ${toldText(its)}`) : []),
  ];
}

/** Which process asked for which rate, where they differ. */
function toldText({ process, perSecond }: ToldLimits): string {
  return `${process} was told ${perSecond === "auto" ? "auto" : `${rounded(perSecond)} calls/s`}`;
}

function perPage({ ledgerBytesPerPage }: Status): string {
  return ledgerBytesPerPage === null ? "" : `; ${count(Math.round(ledgerBytesPerPage))} B a page found, marks included`;
}

function rounded(rate: number): string {
  return String(Math.round(rate * 10) / 10);
}

function bytes(value: number): string {
  return value < 1e6 ? `${(value / 1e3).toFixed(1)} kB` : `${(value / 1e6).toFixed(1)} MB`;
}
