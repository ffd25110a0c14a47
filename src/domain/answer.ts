import { createHash } from "node:crypto";
import type { ErrorCode } from "./errors.js";
import type { Quad } from "./geometry.js";
import type { ImageKey } from "./image.js";
import type { Pan } from "./pan.js";

export const PROVIDER_NAMES = ["huawei", "shiliuai", "local"] as const;
export type ProviderName = (typeof PROVIDER_NAMES)[number];

/** The fields that a confidence or keypoints can belong to. */
export const CARD_FIELDS = ["number", "bank", "type", "issueDate", "expiryDate"] as const;
export type CardField = (typeof CARD_FIELDS)[number];

/**
 * One card as a provider put it: its own words, whitelisted field by field (a CVV or a crop never gets this far),
 * not yet normalised. What it did not give is null.
 */
export interface AnswerCard {
  readonly number: Pan | null;
  readonly bankName: string | null;
  readonly bankCode: string | null;
  readonly type: string | null;
  readonly issueDate: string | null;
  readonly expiryDate: string | null;
  /** 0..1 as the provider gave it; a field that is missing was not rated. */
  readonly confidence: Readonly<Partial<Record<CardField, number>>>;
  /** In pixels of the displayed page. */
  readonly keypoints: Readonly<Partial<Record<CardField, Quad>>>;
}

/** What one provider said about one page. No card in the picture is an answer with no cards. */
export interface Answer {
  readonly provider: ProviderName;
  readonly cards: readonly AnswerCard[];
  /** The vendor's request id, for its support. */
  readonly requestId: string | null;
  /** From the first byte sent to the last byte received. @unit milliseconds */
  readonly latencyMs: number;
  /** The vendor charges for it. */
  readonly billable: boolean;
}

interface Stored {
  /** The request that called for it. */
  readonly request: string;
  /** How many calls it took. */
  readonly calls: number;
}

/** What the ledger keeps of a page, encrypted: the answer, or the provider's final "no" to this very image. */
export type StoredAnswer =
  | (Stored & { readonly kind: "answer"; readonly answer: Answer })
  | (Stored & {
      readonly kind: "refusal";
      readonly code: ErrorCode;
      readonly message: string;
      /** The vendor's own code. */
      readonly vendorCode: string | null;
      readonly requestId: string | null;
      readonly billable: boolean;
      /** @unit milliseconds */
      readonly latencyMs: number;
    });

/** Where an answer is stored: image, page, provider and the vendor options that change what it says; nothing else. */
export type AnswerKey = string;

/** 128 bits are plenty: the key is an index, and the stored answer is bound to it by its encryption. */
export function answerKey(image: ImageKey, page: number, provider: ProviderName, options: string): AnswerKey {
  return createHash("sha256").update(`${image}\n${page}\n${provider}\n${options}`).digest("base64url").slice(0, 22);
}
