import type { AnswerKey } from "../domain/answer.js";
import type { AnswerLedger, CallAccount, Claim, ClaimContext, Departure, HeldPage } from "../domain/ledger.js";
import type { RequestId } from "../domain/payload.js";
import { isOpen } from "../domain/window.js";
import { askedField, billableField, callField, freeField, refusedField, uncertainField } from "./batch-hash.js";
import { imageField, type Keys } from "./keys.js";
import { CLAIM, MARK_SENT, SETTLE } from "./ledger-scripts.js";
import { imagePart } from "./mark.js";
import { loadBinaryScript, loadScript, type Redis } from "./redis.js";

/** A claim whose process died and that nobody came back for is forgotten after this long. */
const CLAIM_MS = 24 * 3600_000;

export interface LedgerOptions {
  /** This process, as `Presence` names it. */
  readonly presence: string;
  /** How long an answer is kept. @unit milliseconds */
  readonly retentionMs: number;
  /** Of the clock that windows are held against. @default the system's */
  readonly now?: () => number;
  /** Redis has just come back: a process that has not been heard of may still be there. @default never */
  readonly isSettling?: () => boolean;
}

/**
 * The ledger in Redis. Each step is one script, so that a crash falls between steps and never inside one; and each may be
 * sent twice, since the client repeats what it has no reply to when its connection breaks.
 */
export function createLedger(redis: Redis, keys: Keys, options: LedgerOptions): AnswerLedger {
  const { presence, retentionMs, now = Date.now, isSettling = () => false } = options;
  const claim = loadBinaryScript(redis, CLAIM);
  const markSent = loadScript(redis, MARK_SENT);
  const settle = loadScript(redis, SETTLE);
  let claims = 0;

  const settleWith = async (held: HeldPage, sealed: Buffer | "", account: CallAccount | null, refreshSinceMs = 0) => {
    const { key, ticket } = held;
    const fields = account === null ? [] : [uncertainField(account.provider), ...countedFields(account)];
    const names = [keys.answer(key), keys.inFlight(key), keys.batch(account?.batch ?? ""), keys.lostCall(ticket)];
    await settle(...names, ticket, sealed, Math.round(retentionMs), refreshSinceMs, ...fields);
  };

  return {
    claim: async (key, context) => {
      const held = { key, ticket: `${presence}#${++claims}` };
      const reply = await claim(...claimKeys(keys, key, context), ...claimValues(keys, held, context, isSettling()));
      return readClaim(reply as Buffer[], held);
    },
    markSent: async ({ key, ticket }, { batch, provider, pace, slot }, deadlineMs) => {
      if (!isOpen(batch.window, now())) return { kind: "closed" };
      const names = [keys.inFlight(key), pace, keys.batch(batch.name)];
      const slotValues = slot === null ? ["", 0, 0] : [slot.epoch, slot.intervalUs, slot.toleranceUs];
      const values = [ticket, deadlineMs, CLAIM_MS, provider, batch.name, ...slotValues];
      const [kind, waitUs = 0] = (await markSent(...names, ...values)) as [Departure["kind"], number?];
      return kind === "go" ? { kind, waitMs: waitUs / 1000 } : { kind };
    },
    store: (held, sealed, account, refreshSinceMs) => settleWith(held, sealed, account, refreshSinceMs),
    release: (held, account) => settleWith(held, "", account),
  };
}

function claimKeys(keys: Keys, key: AnswerKey, { request, batch, imageKey, page }: ClaimContext): string[] {
  const images = keys.images(batch, imageField(imageKey, page));
  return [keys.requests(batch, request), images, keys.answer(key), keys.inFlight(key)];
}

/** In the order that the script takes them. */
function claimValues(
  keys: Keys,
  { ticket }: HeldPage,
  context: ClaimContext,
  isSettling: boolean,
): (string | number)[] {
  const { request, generation, imageKey, page, provider, batch } = context;
  return [
    request,
    generation,
    imagePart(imageKey),
    imageField(imageKey, page),
    ticket,
    CLAIM_MS,
    keys.owner(""),
    context.refreshSinceMs,
    context.outcomeMayStand ? 1 : 0,
    keys.batch(""),
    batch,
    askedField(provider),
    provider,
    keys.lostCall(""),
    context.isUrgent ? "urgent" : "",
    isSettling ? 1 : 0,
  ];
}

function countedFields({ provider, answered, billable, uncertain, notSent }: CallAccount): (string | number)[] {
  if (notSent) return [callField(provider), -1];
  if (uncertain) return [uncertainField(provider), 1];
  if (billable) return [billableField(provider), 1];
  return [answered ? freeField(provider) : refusedField(provider), 1];
}

function readClaim([kind, owner, rest]: Buffer[], held: HeldPage): Claim {
  const request = (owner?.toString() ?? "") as RequestId;
  switch (kind?.toString()) {
    case "done":
    case "kept":
    case "busy":
    case "spent":
      return { kind: kind.toString() as "done" | "kept" | "busy" | "spent" };
    case "answered":
      return { kind: "answered", owner: request, sealed: rest ?? Buffer.alloc(0) };
    default:
      return { kind: "claimed", owner: request, held };
  }
}
