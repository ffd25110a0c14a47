import type { Batch } from "../../src/domain/batch.js";
import type { AnswerLedger, CallAccount, ClaimContext, HeldPage } from "../../src/domain/ledger.js";
import type { Slot } from "../../src/domain/pace.js";
import type { Keys } from "../../src/queue/keys.js";
import { createLedger } from "../../src/queue/ledger.js";
import type { Redis } from "../../src/queue/redis.js";

export interface LedgerProcess {
  readonly ledger: AnswerLedger;
  claim(key: string, context: ClaimContext): ReturnType<AnswerLedger["claim"]>;
  /** Of the page that was claimed last under this key. */
  markSent(key: string, batch: Batch, options?: { deadlineMs?: number; slot?: Slot }): Promise<string>;
  store(key: string, sealed: Buffer, account: CallAccount | null, refreshSinceMs?: number): Promise<void>;
  release(key: string, account: CallAccount | null): Promise<void>;
  kill(): Promise<void>;
}

const LONG_MS = 60_000;

/** A process that holds a ledger; alive until it is killed. */
export async function startLedgerProcess(redis: Redis, keys: Keys, name: string): Promise<LedgerProcess> {
  const presence = `${name}/1/${Math.random()}`;
  await redis.set(keys.owner(presence), "1");
  const ledger = createLedger(redis, keys, { presence, retentionMs: LONG_MS });
  const pages = new Map<string, HeldPage>();
  const held = (key: string) => pages.get(key) ?? { key, ticket: `${presence}#0` };
  return {
    ledger,
    claim: async (key, context) => {
      const claim = await ledger.claim(key, context);
      if (claim.kind === "claimed") pages.set(key, claim.held);
      return claim;
    },
    markSent: async (key, batch, { deadlineMs = LONG_MS, slot } = {}) => {
      const call = { batch, provider: "huawei", pace: keys.pace("huawei", "account"), slot: slot ?? null } as const;
      return (await ledger.markSent(held(key), call, deadlineMs)).kind;
    },
    store: (key, sealed, account, refreshSinceMs = 0) => ledger.store(held(key), sealed, account, refreshSinceMs),
    release: (key, account) => ledger.release(held(key), account),
    kill: async () => void (await redis.del(keys.owner(presence))),
  };
}
