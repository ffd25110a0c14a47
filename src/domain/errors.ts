/**
 * The error catalogue. Every failure a user can meet has a stable code here, what to do about it, and a disposition:
 * this file is the one place that decides what an error means; `queue/worker` is the one place that acts on it.
 */

/**
 * - `retry`: worth another attempt after a backoff; costs one attempt.
 * - `defer`: come back later; costs no attempt.
 * - `refresh`: renew the credentials once, then call again; a second refusal stops the provider.
 * - `fail`: final for this request.
 * - `stop-provider`: no call to this provider can succeed until a person changes something.
 */
export type Disposition = "retry" | "defer" | "refresh" | "fail" | "stop-provider";

interface CatalogueEntry {
  readonly disposition: Disposition;
  /** What the user can do about it; ends a failure's message. */
  readonly hint: string;
}

const entry = (disposition: Disposition, hint: string): CatalogueEntry => ({ disposition, hint });

const CHECK_ENDPOINT = "check the endpoint, project and region with `cardbatch check`";

export const ERROR_CATALOGUE = {
  // The image and its reference.
  "image-not-found": entry("fail", "put the file back, or take it off the manifest"),
  "image-unreadable": entry("fail", "give the worker permission to read it"),
  "image-not-a-file": entry("fail", "only regular files are read; devices, pipes and sockets never are"),
  "image-outside-root": entry("fail", "copy the file in, or name its folder as a source, too"),
  "image-name-encoding": entry("fail", "rename the file so that its name is UTF-8"),
  "image-reference": entry("fail", "name a file of the source, or under a root of CARDBATCH_ROOTS"),
  "ref-refused": entry("fail", "give it a ref of at most 128 characters that holds no card number"),
  "image-empty": entry("fail", "scan it again, or copy it anew"),
  "image-unsupported": entry("fail", "use JPEG, PNG, BMP, TIFF or WebP"),
  "image-corrupt": entry("fail", "the file is damaged or cut short; copy or scan it again"),
  "image-too-small": entry("fail", "scan it at a higher resolution"),
  "image-too-large": entry("fail", "the picture is beyond what is safe to decode; scan it at a lower resolution"),
  "image-page": entry("fail", "name a page that the file has"),
  "image-changed": entry("fail", "the file changed after it was listed; run the source again"),
  "image-timeout": entry("fail", "decoding took too long; the file is hostile or damaged"),
  "worker-crashed": entry(
    "fail",
    "preparing this file killed the worker three times; keep it away from other software",
  ),

  "storage-unavailable": entry(
    "retry",
    "see to the disk or share that holds the image; too many open files counts too",
  ),
  "staging-unavailable": entry(
    "retry",
    "set CARDBATCH_STAGING of every serve and worker to the one folder that they share, then retry",
  ),
  "image-in-work": entry("defer", "another worker is reading this very page; its answer will serve both"),
  "budget-spent": entry("defer", "run it again with a higher --max-calls or --budget to go on"),
  "outside-window": entry(
    "defer",
    "it goes on when the window opens; run it again with another --window to change that",
  ),
  "batch-halted": entry("defer", "the batch was paused or cancelled; resume it, or run it again"),
  "destination-full": entry("defer", "read the outcomes of this destination, or raise CARDBATCH_RESULTS_BACKLOG"),
  "recipient-refused": entry(
    "defer",
    "register the destination's public key again, with this keyring: cardbatch keys destination add",
  ),

  // The provider.
  "provider-credentials": entry("stop-provider", "correct the credentials"),
  "provider-quota": entry("stop-provider", "top up or renew the account's quota"),
  "provider-arrears": entry("stop-provider", "settle the account with the vendor"),
  "provider-subscription": entry("stop-provider", "subscribe to the bank card service in this project and region"),
  "provider-permission": entry("stop-provider", "give the account permission for this service"),
  "provider-config": entry("stop-provider", CHECK_ENDPOINT),
  "provider-clock": entry("stop-provider", "set this machine's clock; signatures are valid for 15 minutes"),
  "provider-token": entry("refresh", "the token is no longer valid; it is renewed once where a password is configured"),
  "provider-throttled": entry("defer", "the vendor asked for a slower pace; the rate is held for the whole fleet"),
  "provider-held": entry("defer", "the vendor asked for a pause, or answers nobody; calls go on by themselves"),
  "provider-unavailable": entry("retry", "the vendor has a fault; nothing to do but wait"),
  "provider-timeout": entry(
    "retry",
    "the vendor did not answer in time; raise the provider's _TIMEOUT_MS if it is always so",
  ),
  "provider-connection": entry("retry", "check the network and the proxy settings with `cardbatch check`"),
  "provider-response": entry("retry", "the vendor's answer could not be read; keep the request id for its support"),
  "provider-refused-image": entry("fail", "the vendor cannot read this image; scan it again"),
  "provider-refused": entry("fail", "the vendor refused the request; keep the request id for its support"),

  // The embedded engine.
  "engine-unavailable": entry("stop-provider", "reinstall with ONNXRUNTIME_NODE_INSTALL=skip npm ci"),
  "engine-image": entry("fail", "the engine cannot decode this picture; scan it again"),
  "engine-crashed": entry("retry", "the engine's thread died and was replaced"),

  "provider-unconfigured": entry("defer", "start a worker that has this provider's settings"),

  // The sinks.
  "sink-unavailable": entry("retry", "make room on the disk, or give permission to write; the run goes on by itself"),

  // Everything else.
  "payload-invalid": entry("fail", "the job does not fit the schema of card-images"),
  cancelled: entry("defer", "the process was asked to stop; run it again to resume"),
  internal: entry("retry", "this is a fault of cardbatch; please report it with the log line"),
} as const satisfies Record<string, CatalogueEntry>;

export type ErrorCode = keyof typeof ERROR_CATALOGUE;

export const ERROR_CODES = Object.keys(ERROR_CATALOGUE) as readonly ErrorCode[];

/** Faults of a provider, or of the way to it, that say nothing of the image. */
export const OUTAGE_CODES: ReadonlySet<ErrorCode> = new Set([
  "provider-unavailable",
  "provider-timeout",
  "provider-connection",
]);

export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(ERROR_CATALOGUE, text);
}

/** Facts that are safe to log: closed words, numbers, request ids. Never a card number, a path or a response body. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean | null>>;

interface ErrorOptions {
  readonly details?: ErrorDetails;
  /** Must itself be safe to log: never a raw request or response. */
  readonly cause?: Error;
}

/** Base of every error the application raises on purpose; told apart by class and `code`, never by message. */
export class CardbatchError extends Error {
  override readonly name: string = "CardbatchError";
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  /** @param message what was tried and what was got; the catalogue adds what to do. */
  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
  }

  get disposition(): Disposition {
    return ERROR_CATALOGUE[this.code].disposition;
  }

  get hint(): string {
    return ERROR_CATALOGUE[this.code].hint;
  }
}

/** The image cannot be used; costs no call. */
export class ImageError extends CardbatchError {
  override readonly name = "ImageError";
}

interface ProviderErrorOptions extends ErrorOptions {
  /** The vendor's own code, such as `AIS.0102`. */
  readonly vendorCode?: string;
  readonly httpStatus?: number;
  /** The vendor's request id, for its support. */
  readonly requestId?: string;
  /** How long the vendor asked to be left alone. @unit milliseconds */
  readonly retryAfterMs?: number;
  /** The request was sent and its answer never arrived: it may have been billed. */
  readonly uncertain?: boolean;
  /** The vendor charges for this call although it brought nothing usable. */
  readonly billable?: boolean;
  /** No request went out (no connection, no token): it is not a call. */
  readonly notSent?: boolean;
  /** How often a request may meet this fault before it is final, where that is less than the policy allows. */
  readonly maxAttempts?: number;
}

/** A call to a provider that brought no answer. */
export class ProviderError extends CardbatchError {
  override readonly name = "ProviderError";
  readonly vendorCode: string | null;
  readonly httpStatus: number | null;
  readonly requestId: string | null;
  readonly retryAfterMs: number | null;
  readonly uncertain: boolean;
  readonly billable: boolean;
  readonly notSent: boolean;
  readonly maxAttempts: number | null;

  constructor(code: ErrorCode, message: string, options: ProviderErrorOptions = {}) {
    super(code, message, options);
    this.vendorCode = options.vendorCode ?? null;
    this.httpStatus = options.httpStatus ?? null;
    this.requestId = options.requestId ?? null;
    this.retryAfterMs = options.retryAfterMs ?? null;
    this.uncertain = options.uncertain ?? false;
    this.billable = options.billable ?? false;
    this.notSent = options.notSent ?? false;
    this.maxAttempts = options.maxAttempts ?? null;
  }
}

/** Outcomes cannot be written down at present. */
export class SinkError extends CardbatchError {
  override readonly name = "SinkError";
}

/** Work was given up because somebody asked for it; the job goes back unharmed. */
export class CancelledError extends CardbatchError {
  override readonly name = "CancelledError";
  /** A call had been sent and was given up before its answer came: it may have been billed. */
  readonly uncertain: boolean;

  constructor(message = "stopped on request", options: { readonly uncertain?: boolean } = {}) {
    super("cancelled", message);
    this.uncertain = options.uncertain ?? false;
  }
}

/** The command line or the arguments make no sense; exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** A setting is missing, out of bounds or contradicts another; exit code 3. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** A catalogued error for anything thrown: unknown errors are faults of ours (`internal`), their text is not passed on. */
export function toCardbatchError(thrown: unknown): CardbatchError {
  if (thrown instanceof CardbatchError) return thrown;
  const name = thrown instanceof Error ? thrown.name : typeof thrown;
  return new CardbatchError("internal", `unexpected ${name}`, thrown instanceof Error ? { cause: thrown } : {});
}
