/**
 * - `payload-invalid`: what was handed in does not fit the schema; `issues` says where.
 * - `reference-holds-card-number`: the image's name holds a card number, which must not stand in a queue in the clear.
 * - `queue-full`: so much waits that nothing was taken in time; add it again later.
 * - `redis-unavailable`: Redis did not answer; whether something was added nobody knows, and adding it again is harmless.
 * - `closed`: it was closed.
 * - `http-refused`: the server refused the request; `status`, `problem` and `issues` say why.
 * - `http-unavailable`: no usable answer came, however often it was asked.
 * - `webhook-invalid`: no webhook of this sender, or one that is too old.
 */
export type ClientErrorCode =
  | "payload-invalid"
  | "reference-holds-card-number"
  | "queue-full"
  | "redis-unavailable"
  | "closed"
  | "http-refused"
  | "http-unavailable"
  | "webhook-invalid";

/** Where in what was handed in something is wrong. Never holds its value. */
export interface ClientIssue {
  readonly path: string;
  readonly message: string;
}

interface ClientErrorOptions {
  readonly issues?: readonly ClientIssue[];
  readonly status?: number;
  readonly problem?: string;
  readonly retryAfterMs?: number;
  readonly cause?: unknown;
}

/** Every error that this library raises on purpose; told apart by `code`. */
export class CardbatchClientError extends Error {
  override readonly name = "CardbatchClientError";
  readonly code: ClientErrorCode;
  readonly issues: readonly ClientIssue[];
  /** Of an HTTP answer. */
  readonly status: number | null;
  /** The server's own code for what is wrong. */
  readonly problem: string | null;
  /** How long the server wants to be left alone. @unit milliseconds */
  readonly retryAfterMs: number | null;

  constructor(code: ClientErrorCode, message: string, options: ClientErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.issues = options.issues ?? [];
    this.status = options.status ?? null;
    this.problem = options.problem ?? null;
    this.retryAfterMs = options.retryAfterMs ?? null;
  }
}
