import { z } from "zod";
import { ConfigError } from "../../domain/errors.js";

/**
 * Faults, as `--faults <file>` and `POST /__faults` take them:
 *
 * ```json
 * { "seed": 1, "rules": [
 *   { "on": "huawei", "calls": { "from": 100, "to": 199 }, "do": { "kind": "status", "status": 503 } },
 *   { "probability": 0.1, "do": { "kind": "status", "status": 429, "retryAfter": "2" } },
 *   { "time": { "fromMs": 5000, "toMs": 9000 }, "do": { "kind": "limit", "callsPerSecond": 5 } },
 *   { "probability": 0.05, "times": 20, "do": { "kind": "reset-after" } }
 * ] }
 * ```
 *
 * A rule holds for calls to `on` (huawei, shiliuai, iam; both OCR services where it is left out), from the `from`th to
 * the `to`th of those, from `fromMs` to `toMs`, both since the rules were set, and fires at most `times` times. At most
 * one rule fires a call: one draw decides, so the probabilities of rules that hold together are the shares of calls
 * that each gets. `seed` makes the draws repeatable.
 */
const retryAfter = z.union([
  // As it stands, whatever it is: "5", "-1", "soon".
  z.string().regex(/^[ -~]*$/, "a header takes printable ASCII"),
  // As an HTTP date so far from now.
  z.strictObject({ dateInMs: z.number() }),
]);

const action = z.discriminatedUnion("kind", [
  /** Another status: the vendor's own body (`code` instead of its usual code), a gateway's HTML, or nothing. */
  z.strictObject({
    kind: z.literal("status"),
    status: z.number().int().min(300).max(599),
    body: z.enum(["vendor", "html", "empty"]).default("vendor"),
    code: z.string().optional(),
    retryAfter: retryAfter.optional(),
  }),
  /** The answer, later; `jitterMs` more at most. */
  z.strictObject({
    kind: z.literal("delay"),
    ms: z.number().min(0).max(3_600_000),
    jitterMs: z.number().min(0).max(3_600_000).default(0),
  }),
  /** The answer, a few bytes at a time. */
  z.strictObject({
    kind: z.literal("drip"),
    bytes: z.number().int().min(1).default(1),
    everyMs: z.number().min(1).max(60_000).default(100),
  }),
  /** The connection is reset before the request's body was read. */
  z.strictObject({ kind: z.literal("reset-before") }),
  /** The connection is reset when the request was read and before anything is answered. */
  z.strictObject({ kind: z.literal("reset-after") }),
  /** Half the answer: with a Content-Length that agrees, or with the connection cut. */
  z.strictObject({ kind: z.literal("truncated"), how: z.enum(["length", "cut"]).default("length") }),
  /** 200 and HTML. */
  z.strictObject({ kind: z.literal("html") }),
  /** 200 and nothing. */
  z.strictObject({ kind: z.literal("empty") }),
  /** 200 and so many bytes. */
  z.strictObject({ kind: z.literal("huge"), bytes: z.number().int().min(1).max(1_000_000_000) }),
  /** 200 and the vendor's body for a failure. */
  z.strictObject({ kind: z.literal("error-body"), status: z.number().int().default(500), code: z.string().optional() }),
  /** From now on another limit (null: none); the call itself is answered under it. */
  z.strictObject({ kind: z.literal("limit"), callsPerSecond: z.number().int().min(1).nullable() }),
  /** Every token that the IAM gave out is void; the call itself is answered after that. */
  z.strictObject({ kind: z.literal("revoke-tokens") }),
]);

const rule = z.strictObject({
  on: z.enum(["huawei", "shiliuai", "iam"]).optional(),
  calls: z.strictObject({ from: z.number().int().min(1).default(1), to: z.number().int().optional() }).optional(),
  time: z.strictObject({ fromMs: z.number().min(0).default(0), toMs: z.number().optional() }).optional(),
  probability: z.number().min(0).max(1).default(1),
  times: z.number().int().min(1).optional(),
  do: action,
});

const faultsSchema = z.strictObject({ seed: z.number().int().default(1), rules: z.array(rule).max(1000) });

export type FaultAction = z.infer<typeof action>;
export type FaultRule = z.infer<typeof rule>;
export type Faults = z.infer<typeof faultsSchema>;
/** As people write them, defaults left out. */
export type FaultsInput = z.input<typeof faultsSchema>;

export const NO_FAULTS: Faults = { seed: 1, rules: [] };

/** @throws ConfigError that says where in the rules what is wrong */
export function parseFaults(input: unknown): Faults {
  const parsed = faultsSchema.safeParse(input);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(
    ({ path, message }) => `${path.length === 0 ? "faults" : path.join(".")}: ${message}`,
  );
  throw new ConfigError(problems.join("\n"));
}
