import type { RecordCard } from "../../src/domain/record.js";

/** A card as records show it; what is sealed in it is not real. */
export function recordCardOf(more: Partial<RecordCard> = {}): RecordCard {
  return {
    number: { masked: "622588******1234", length: 16, luhn: true, fingerprint: "fp1.kid.a", jwe: "eyJ.a.b.c.d" },
    bank: { name: "招商银行", code: "CMB" },
    network: "unionpay",
    type: "debit",
    issueDate: "2010-12",
    expiryDate: "2020-12",
    confidence: { number: 0.9991, bank: 0.98, issueDate: 0.99, expiryDate: 0.97 },
    keypoints: { number: null },
    ...more,
  };
}
