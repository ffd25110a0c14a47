/** Every code that an answer of the API may carry, with its status and title. A client decides by these, never by text. */
export const PROBLEMS = {
  "bad-request": [400, "The request makes no sense"],
  "malformed-http": [400, "This is not HTTP"],
  unauthorized: [401, "No valid API key"],
  forbidden: [403, "The API key may not do this"],
  "not-found": [404, "There is no such thing"],
  "method-not-allowed": [405, "This address takes other methods"],
  timeout: [408, "The request came too slowly"],
  conflict: [409, "This contradicts what is there"],
  "idempotency-conflict": [409, "The Idempotency-Key was used for another request"],
  "too-large": [413, "The request is too large"],
  "unsupported-media-type": [415, "The body's type is not taken here"],
  "image-unsupported": [415, "This is no picture that can be read"],
  invalid: [422, "The request does not fit"],
  "webhook-refused": [422, "The webhook's address is not allowed"],
  "image-refused": [422, "The image cannot be used"],
  "rate-limited": [429, "The API key's rate is used up"],
  "backlog-full": [429, "So many images wait already that no more are taken"],
  "headers-too-large": [431, "The request's headers are too large"],
  internal: [500, "This is a fault of cardbatch"],
  unavailable: [503, "This is not possible at present"],
  "shutting-down": [503, "The server is about to stop"],
  "storage-full": [507, "There is no room to stage the image"],
} as const satisfies Record<string, readonly [number, string]>;

export type ProblemCode = keyof typeof PROBLEMS;

export interface ProblemIssue {
  /** Where in the body or the query, such as `image.path`. */
  readonly path: string;
  readonly message: string;
}

interface ProblemOptions {
  /** When to come back. @unit seconds */
  readonly retryAfterS?: number;
  readonly issues?: readonly ProblemIssue[];
}

/** An answer other than the wished-for one; thrown by handlers, sent as RFC 9457 says. */
export class Problem extends Error {
  override readonly name = "Problem";
  readonly code: ProblemCode;
  readonly retryAfterS: number | null;
  readonly issues: readonly ProblemIssue[];

  /** @param detail what was got and what to do; never holds anything of the request's body */
  constructor(code: ProblemCode, detail: string, { retryAfterS, issues = [] }: ProblemOptions = {}) {
    super(detail);
    this.code = code;
    this.retryAfterS = retryAfterS ?? null;
    this.issues = issues;
  }

  get status(): number {
    return PROBLEMS[this.code][0];
  }
}
