import type { CallLog } from "./call-log.js";

/** What `GET /__calls` begins with. */
export interface CallTotals {
  readonly calls: number;
  /** Under way. */
  readonly pending: number;
  readonly billable: number;
  readonly answered: number;
  /** Reset, or given up by the caller, before any status went out. */
  readonly uncertain: number;
  readonly byStatus: Readonly<Record<string, number>>;
  readonly byProvider: Readonly<Record<string, { calls: number; billable: number; answered: number }>>;
  readonly byAuth: Readonly<Record<string, number>>;
  readonly byFault: Readonly<Record<string, number>>;
  readonly maxCallsInAnySecond: number;
  /** Distinct pictures. */
  readonly images: number;
  readonly iam: { readonly issued: number; readonly refused: number };
}

export interface ReportOptions {
  /** Which calls of the list: from this number on, so many. Null: no list. */
  readonly list: { readonly since: number; readonly limit: number } | null;
  /** With the counts of each picture. */
  readonly images: boolean;
}

export function sumUp(log: CallLog, iam: CallTotals["iam"]): CallTotals {
  const sums = { pending: 0, billable: 0, answered: 0, uncertain: 0 };
  const byStatus: Record<string, number> = {};
  const byProvider: Record<string, { calls: number; billable: number; answered: number }> = {};
  const byAuth: Record<string, number> = {};
  const byFault: Record<string, number> = {};
  for (let index = 0; index < log.size; index++) {
    const { provider, status, billable, answered, auth, fault } = log.facts(index);
    byProvider[provider] ??= { calls: 0, billable: 0, answered: 0 };
    for (const sum of [sums, byProvider[provider]]) {
      sum.billable += Number(billable);
      sum.answered += Number(answered);
    }
    byProvider[provider].calls++;
    if (status === "pending") sums.pending++;
    else if (typeof status === "string") sums.uncertain++;
    countUp(byStatus, status);
    if (auth !== null) countUp(byAuth, auth);
    if (fault !== null) countUp(byFault, fault);
  }
  const { size, maxCallsInAnySecond, images } = log;
  return { calls: size, ...sums, byStatus, byProvider, byAuth, byFault, maxCallsInAnySecond, images: images.size, iam };
}

/** The report as JSON, piece by piece: a million pictures are not one string. */
export function* renderReport(log: CallLog, iam: CallTotals["iam"], options: ReportOptions): Generator<string> {
  yield `{"totals":${JSON.stringify(sumUp(log, iam))}`;
  if (options.images) {
    yield ',"images":{';
    yield* joined(log.images.entries(), ([key, count]) => `${JSON.stringify(key)}:${JSON.stringify(count)}`);
    yield "}";
  }
  if (options.list !== null) {
    const end = Math.min(log.size, options.list.since + options.list.limit);
    yield `,"next":${end < log.size ? end : null},"calls":[`;
    yield* joined(callsBetween(log, options.list.since, end), (call) => JSON.stringify(call));
    yield "]";
  }
  yield "}\n";
}

function countUp(counts: Record<string, number>, name: string | number): void {
  counts[name] = (counts[name] ?? 0) + 1;
}

function* callsBetween(log: CallLog, from: number, to: number) {
  for (let index = from; index < to; index++) yield log.call(index);
}

/** With commas between, and a few hundred at a time. */
function* joined<T>(items: Iterable<T>, render: (item: T) => string): Generator<string> {
  let piece = "";
  let isFirst = true;
  for (const item of items) {
    piece += isFirst ? render(item) : `,${render(item)}`;
    isFirst = false;
    if (piece.length > 32_768) {
      yield piece;
      piece = "";
    }
  }
  yield piece;
}
