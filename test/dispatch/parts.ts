import type { Answer, AnswerKey, StoredAnswer } from "../../src/domain/answer.js";
import type { Batch } from "../../src/domain/batch.js";
import type { PageToRead } from "../../src/domain/dispatcher.js";
import { CancelledError } from "../../src/domain/errors.js";
import type { AnswerLedger, CallAccount } from "../../src/domain/ledger.js";
import type { Pace } from "../../src/domain/pace.js";
import type { OcrProvider } from "../../src/domain/provider.js";
import { imageKeyOf, requestOf } from "../helpers/image-keys.js";

/** What a dispatcher is joined to, in memory: everything that happens is on one list, in its order. */
export interface Parts {
  readonly happened: string[];
  readonly ledger: AnswerLedger;
  readonly provider: OcrProvider;
  readonly pace: Pace;
  readonly accounts: (CallAccount | null)[];
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
  /** How long each call finds the provider on hold. @default never */
  readonly holds?: number[];
}

export function createParts({ call, authorize, renew, byHand = false, holds = [] }: PartsOptions): Parts {
  const happened: string[] = [];
  const answers = new Map<AnswerKey, Buffer>();
  const claimed = new Set<AnswerKey>();
  const accounts: (CallAccount | null)[] = [];
  const waiting: (() => void)[] = [];
  let calls = 0;

  const settle = (what: string) => async (key: AnswerKey, account: CallAccount | null) => {
    happened.push(what);
    claimed.delete(key);
    accounts.push(account);
  };
  return {
    happened,
    accounts,
    isClaimed: () => claimed.size > 0,
    giveTurn: () => waiting.shift()?.(),
    ledger: {
      claim: async (key, { request }) => {
        const sealed = answers.get(key);
        if (sealed !== undefined) return { kind: "answered", owner: request, sealed };
        if (claimed.has(key)) return { kind: "busy" };
        claimed.add(key);
        return { kind: "claimed", owner: request };
      },
      markSent: async () => {
        const holdMs = holds.shift() ?? 0;
        happened.push(holdMs === 0 ? "sent" : "on hold");
        return holdMs;
      },
      store: (key, sealed, account) => {
        if (!answers.has(key)) answers.set(key, sealed);
        return settle("stored")(key, account);
      },
      release: settle("released"),
    },
    pace: {
      key: "pace",
      take: (signal) =>
        new Promise((resolve, reject) => {
          const turn = () => {
            happened.push("turn");
            resolve();
          };
          if (signal.aborted) return reject(new CancelledError());
          signal.addEventListener("abort", () => reject(new CancelledError()));
          if (byHand) waiting.push(turn);
          else turn();
        }),
      hold: async (ms) => void happened.push(`held for ${ms}`),
      allowedRate: () => 5,
      close: async () => {},
    },
    provider: {
      name: "huawei",
      bounds: { formats: ["png"], minSide: 15, maxSide: 8192, maxBase64Bytes: 1e7 },
      cardsPerImage: "one",
      answerOptions: "",
      billing: "assumed",
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
    calls: () => calls,
    onCall: () => {
      calls++;
    },
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
