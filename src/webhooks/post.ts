import { lookup as lookUp } from "node:dns";
import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { isIP, type LookupFunction } from "node:net";
import { findTargetFault, hostOf, type WebhookPolicy } from "./target.js";

/** A receiver that has not answered by then has not taken it. @unit milliseconds */
const TIMEOUT_MS = 15_000;
/** Of an answer's body, which nobody reads; a longer one costs its connection. @unit bytes */
const MAX_ANSWER_BYTES = 64 * 1024;
const MOST_CONNECTIONS_A_HOST = 16;
const USER_AGENT = "cardbatch-webhooks/1";

/** What came of sending a message once. `retryAfterMs`: what the receiver asked for, if it did. */
export type PostResult =
  | { readonly kind: "taken" }
  | { readonly kind: "refused"; readonly status: number; readonly retryAfterMs: number | null }
  /** Where the address leads to nobody may go. */
  | { readonly kind: "forbidden"; readonly reason: string }
  | { readonly kind: "failed"; readonly reason: string };

export interface WebhookClient {
  /** Sends once, to the address itself: redirects are not followed. Never throws. */
  post(url: string, body: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<PostResult>;
  close(): void;
}

export interface WebhookClientDeps {
  readonly policy: WebhookPolicy;
  readonly lookup?: LookupFunction;
  readonly timeoutMs?: number;
}

/**
 * A client that talks to nobody it may not talk to. The address is checked as it is written, then each address that its name
 * stands for (the connection takes the very answer that was checked, so a second answer changes nothing), then who was reached.
 */
export function createWebhookClient({
  policy,
  lookup = lookUp,
  timeoutMs = TIMEOUT_MS,
}: WebhookClientDeps): WebhookClient {
  const options = { keepAlive: true, maxSockets: MOST_CONNECTIONS_A_HOST, maxFreeSockets: 4 };
  const agents = { "http:": new HttpAgent(options), "https:": new HttpsAgent(options) };
  const guarded = guardLookup(lookup, policy);

  const send = (url: URL, body: string, headers: Readonly<Record<string, string>>, signal: AbortSignal) =>
    new Promise<PostResult>((resolve, reject) => {
      const isPlain = url.protocol === "http:";
      const request = (isPlain ? httpRequest : httpsRequest)(url, {
        method: "POST",
        agent: isPlain ? agents["http:"] : agents["https:"],
        lookup: guarded,
        signal,
        headers: {
          ...headers,
          "content-type": "application/json",
          "content-length": Buffer.byteLength(body),
          "user-agent": USER_AGENT,
          "accept-encoding": "identity",
        },
      });
      guardPeer(request, hostOf(url), policy);
      request.on("error", reject);
      request.once("response", (response) => {
        drop(response);
        resolve(toResult(response));
      });
      request.end(body);
    });

  return {
    post: async (text, body, headers, signal) => {
      const fault = findTargetFault(text, policy);
      if (fault !== null) return { kind: "forbidden", reason: `the address ${fault}` };
      const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
      try {
        return await send(new URL(text), body, headers, limit);
      } catch (error) {
        if (error instanceof ForbiddenAddress) return { kind: "forbidden", reason: error.message };
        return { kind: "failed", reason: describe(error, limit) };
      }
    },
    close: () => {
      agents["http:"].destroy();
      agents["https:"].destroy();
    },
  };
}

class ForbiddenAddress extends Error {
  override readonly name = "ForbiddenAddress";

  constructor() {
    super("the address leads to one that is not public; list it in CARDBATCH_WEBHOOK_ALLOW");
  }
}

/** Lets a connection learn a name's addresses only if all of them are allowed. */
function guardLookup(lookup: LookupFunction, policy: WebhookPolicy): LookupFunction {
  return (host, options, callback) => {
    lookup(host, { ...options, all: true }, (error, found) => {
      if (error !== null) return callback(error, "", 0);
      const addresses = Array.isArray(found) ? found : [{ address: String(found), family: isIP(String(found)) }];
      const [first] = addresses;
      if (first === undefined || !addresses.every(({ address }) => policy.isAllowedAddress(address, host))) {
        return callback(new ForbiddenAddress(), "", 0);
      }
      if (options.all === true) return callback(null, addresses);
      return callback(null, first.address, first.family);
    });
  };
}

/** Gives a connection up before anything is sent on it when it has reached somebody else. */
function guardPeer(request: ClientRequest, host: string, policy: WebhookPolicy): void {
  request.once("socket", (socket) => {
    if (!socket.connecting) return;
    socket.prependOnceListener("connect", () => {
      const { remoteAddress } = socket;
      const address = remoteAddress?.replace(/^::ffff:(?=\d+\.)/i, "") ?? "";
      if (!policy.isAllowedAddress(address, host)) request.destroy(new ForbiddenAddress());
    });
  });
}

/** Reads an answer away, so that its connection can be used again; one that does not end is cut. */
function drop(response: IncomingMessage): void {
  let bytes = 0;
  response.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) response.destroy();
  });
  response.on("error", () => {});
}

function toResult(response: IncomingMessage): PostResult {
  const status = response.statusCode ?? 0;
  if (status >= 200 && status < 300) return { kind: "taken" };
  const seconds = Number(response.headers["retry-after"] ?? Number.NaN);
  return { kind: "refused", status, retryAfterMs: Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : null };
}

/** Of an error its code: its message may hold the address. */
function describe(error: unknown, limit: AbortSignal): string {
  if (limit.aborted) return "no answer in time";
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
  return `no connection (${code})`;
}
