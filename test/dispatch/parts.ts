import type { Answer, AnswerKey, StoredAnswer } from "../../src/domain/answer.js";
import type { Batch } from "../../src/domain/batch.js";
import type { PageToRead } from "../../src/domain/dispatcher.js";
import { CancelledError } from "../../src/domain/errors.js";
import type { AnswerLedger, CallAccount, Departure, HeldPage } from "../../src/domain/ledger.js";
import type { CallReport, Pace, PaceState, Reported } from "../../src/domain/pace.js";
import type { OcrProvider } from "../../src/domain/provider.js";
import { imageKeyOf, requestOf } from "../helpers/image-keys.js";

/** What a dispatcher is joined to, in memory: everything that happens is on one list, in its order. */
export interface Parts {
  readonly happened: string[];
  readonly ledger: AnswerLedger;
  readonly provider: OcrProvider;
  readonly pace: Pace;
  readonly accounts: (CallAccount | null)[];
  /** What the pace was told, in its order. */
  readonly reports: CallReport[];
  /** What it answers next. */
  paceSays(state: Partial<PaceState>, reported?: Partial<Reported>): void;
  /** Whether a page is claimed at present. */
  isClaimed(): boolean;
  /** Ends the wait of the first who waits for a turn. */
  giveTurn(): void;
}

export interface PartsOptions {
  /** The vendor: what becomes of its n-th call, counted from 1. */
  readonly call: (number: number, signal: AbortSignal) => Promise<Answer>;
  readonly authorize?: () => Promise<void>;
  readonly renew?: () => Promise<void>;
  /** Turns are given by `giveTurn` alone. @default at once */
  readonly byHand?: boolean;
  /** What each call is told as it is about to go out. @default to go */
  readonly departures?: Departure[];
}

export function createParts({ call, authorize, renew, byHand = false, departures = [] }: PartsOptions): Parts {
  const happened: string[] = [];
  const answers = new Map<AnswerKey, Buffer>();
  const claimed = new Set<AnswerKey>();
  const accounts: (CallAccount | null)[] = [];
  const waiting: (() => void)[] = [];
  const reports: CallReport[] = [];
  let state: PaceState = { rate: 5, waiting: null, outage: null };
  let reported: Reported = { change: null, streak: null };
  let calls = 0;

  const settle = (what: string) => async (held: HeldPage, account: CallAccount | null) => {
    happened.push(what);
    claimed.delete(held.key);
    accounts.push(account);
  };
  return {
    happened,
    accounts,
    reports,
    paceSays: (newState, said = {}) => {
      state = { ...state, ...newState };
      reported = { ...reported, ...said };
    },
    isClaimed: () => claimed.size > 0,
    giveTurn: () => waiting.shift()?.(),
    ledger: {
      claim: async (key, { request }) => {
        const sealed = answers.get(key);
        if (sealed !== undefined) return { kind: "answered", owner: request, sealed };
        if (claimed.has(key)) return { kind: "busy" };
        claimed.add(key);
        return { kind: "claimed", owner: request, held: { key, ticket: "t" } };
      },
      markSent: async () => {
        const departure = departures.shift() ?? { kind: "go", waitMs: 0 };
        happened.push(departure.kind === "go" ? "sent" : departure.kind);
        return departure;
      },
      store: (held, sealed, account) => {
        if (!answers.has(held.key)) answers.set(held.key, sealed);
        return settle("stored")(held, account);
      },
      release: settle("released"),
    },
    pace: {
      key: "pace",
      take: (signal) =>
        new Promise((resolve, reject) => {
          const turn = () => {
            happened.push("turn");
            resolve({ atUs: 0, intervalUs: 0, toleranceUs: 0, epoch: 1, isProbe: false });
          };
          if (signal.aborted) return reject(new CancelledError());
          signal.addEventListener("abort", () => reject(new CancelledError()));
          if (byHand) waiting.push(turn);
          else turn();
        }),
      report: async (_, said) => {
        reports.push(said);
        return reported;
      },
      state: () => state,
      close: async () => {},
    },
    provider: {
      name: "huawei",
      bounds: { formats: ["png"], minSide: 15, maxSide: 8192, maxBase64Bytes: 1e7 },
      cardsPerImage: "one",
      answerOptions: "",
      account: "account",
      authorize: async () => {
        happened.push("authorized");
        await authorize?.();
      },
      ...(renew === undefined
        ? {}
        : {
            renew: async () => {
              happened.push("renewed");
              await renew();
            },
          }),
      encode: (image) => {
        happened.push("encoded");
        return { body: image.bytes, bodySha256: "", image };
      },
      call: (_encoded, signal) => {
        happened.push("called");
        return call(++calls, signal);
      },
      check: async function* () {},
      close: async () => {},
    },
  };
}

const BATCH: Batch = {
  name: "b",
  providers: ["huawei"],
  thresholds: { huawei: 0.9, shiliuai: 0.9, local: 0.9 },
  destination: null,
  sources: [],
  generation: "1",
  refreshSinceMs: 0,
  window: null,
  halt: null,
};

/** A request for a page of its own, which counts its calls. */
export function pageOf(name: string | number, more: Partial<PageToRead> = {}): PageToRead & { made(): number } {
  let calls = 0;
  const image = { bytes: Buffer.from(String(name)), format: "png", width: 16, height: 16 } as const;
  return {
    request: requestOf("b", name),
    batch: BATCH,
    imageKey: imageKeyOf(name),
    page: 0,
    outcomeMayStand: true,
    isUrgent: false,
    calls: () => calls,
    onCall: () => {
      calls++;
    },
    onFault: () => {},
    prepare: async () => ({ ...image, pixelsPerSentPixel: 1, untouched: true }),
    made: () => calls,
    ...more,
  };
}

export function answer(more: Partial<Answer> = {}): Answer {
  return { provider: "huawei", cards: [], requestId: "h-1", latencyMs: 12, billable: true, ...more };
}

/** Sealed and opened as what it is: what encryption does is tested elsewhere. */
export const plainSeal = {
  sealAnswer: (stored: StoredAnswer) => Buffer.from(JSON.stringify(stored)),
  openAnswer: (sealed: Buffer) => JSON.parse(sealed.toString()) as StoredAnswer,
};
