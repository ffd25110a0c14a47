import { z } from "zod";
import { CancelledError, type CardbatchError, ProviderError } from "../../domain/errors.js";
import type { Clock } from "../clock.js";
import type { HttpClient, HttpReply } from "../http-client.js";
import { orAborted } from "../on-abort.js";
import { parseJson, pickRequestId } from "../reply.js";
import { parseDate, parseRetryAfter } from "../retry-after.js";
import { meaningOfStatus } from "../vendor-meaning.js";
import { CREDENTIAL_SETTINGS, type ResolvedIam } from "./options.js";

/**
 * A token of Huawei's IAM, fetched with a password and kept until shortly before it expires
 * (https://support.huaweicloud.com/intl/en-us/api-iam/iam_30_0001.html).
 *
 * States: none → fetching (one request, whoever waits) → held → none (expired, or refused by the OCR service).
 * A refused password is remembered: several in a row lock the account, so it is not sent again for that long.
 */
export interface TokenSource {
  /** The token; fetches it where there is none. @throws ProviderError, always `notSent` */
  get(signal: AbortSignal): Promise<string>;
  /** The OCR service refused this token. */
  refuse(token: string): void;
  /** A token other than the one last refused. @throws as `get` */
  renew(signal: AbortSignal): Promise<void>;
  close(): void;
}

interface HeldToken {
  readonly value: string;
  readonly goodUntilMs: number;
}

const PEER = "huawei IAM";
const MAX_RESPONSE_BYTES = 256 * 1024;
/** Tokens live 24 hours; one about to expire would expire under way. A short-lived one keeps nine tenths of its life. */
const LONGEST_MARGIN_MS = 5 * 60 * 1000;
/** How long the account stays locked after wrong passwords. */
const REFUSAL_HOLD_MS = 15 * 60 * 1000;

const tokenSchema = z.object({ token: z.object({ expires_at: z.string() }) });

export function createTokenSource(
  options: ResolvedIam & { readonly projectId: string; readonly timeoutMs: number },
  deps: { readonly clock: Clock; readonly http: HttpClient },
): TokenSource {
  const { clock, http } = deps;
  const closing = new AbortController();
  let held: HeldToken | null = null;
  let fetching: Promise<string> | null = null;
  let lastRefused: string | null = null;
  let refusal: { readonly error: CardbatchError; readonly untilMs: number } | null = null;

  async function fetchToken(): Promise<string> {
    const reply = await send();
    const token = readToken(reply, clock.now());
    held = token;
    return token.value;
  }

  async function send(): Promise<HttpReply> {
    const body = Buffer.from(JSON.stringify(tokenRequest(options)));
    const request = {
      peer: PEER,
      endpoint: options.endpoint,
      method: "POST",
      path: "/v3/auth/tokens?nocatalog=true",
    } as const;
    const limits = { timeoutMs: options.timeoutMs, maxResponseBytes: MAX_RESPONSE_BYTES };
    try {
      const headers = { "content-type": "application/json" };
      return await http.send({ ...request, headers, body, ...limits }, closing.signal);
    } catch (error) {
      throw error instanceof ProviderError ? nobodyAnswers(error) : error;
    }
  }

  function startFetching(): Promise<string> {
    if (refusal !== null && clock.now() < refusal.untilMs) return Promise.reject(refusal.error);
    fetching ??= fetchToken()
      .catch((error: unknown) => {
        if (error instanceof ProviderError && error.code === "provider-credentials") {
          refusal = { error, untilMs: clock.now() + REFUSAL_HOLD_MS };
        }
        throw error;
      })
      .finally(() => {
        fetching = null;
      });
    return fetching;
  }

  async function get(signal: AbortSignal): Promise<string> {
    if (held !== null && clock.now() < held.goodUntilMs) return held.value;
    if (signal.aborted) throw new CancelledError();
    return orAborted(startFetching(), signal);
  }

  return {
    get,
    refuse(token) {
      lastRefused = token;
      if (held?.value === token) held = null;
    },
    async renew(signal) {
      // Of many calls refused at once the first renews; for the others there is a new token already.
      if (held !== null && (lastRefused === null || held.value === lastRefused)) held = null;
      await get(signal);
    },
    close: () => closing.abort(),
  };
}

function tokenRequest({ domain, user, password, projectId }: ResolvedIam & { readonly projectId: string }): object {
  const identity = { methods: ["password"], password: { user: { name: user, password, domain: { name: domain } } } };
  // OCR wants a token scoped to the project; one scoped to the account is answered with ModelArts.0212.
  return { auth: { identity, scope: { project: { id: projectId } } } };
}

function readToken(reply: HttpReply, nowMs: number): HeldToken {
  if (reply.status !== 200 && reply.status !== 201) throw refusedBy(reply, nowMs);
  const value = reply.headers["x-subject-token"];
  const parsed = tokenSchema.safeParse(parseJson(reply));
  const expiresMs = parsed.success ? Date.parse(parsed.data.token.expires_at) : Number.NaN;
  if (typeof value !== "string" || value === "" || Number.isNaN(expiresMs)) {
    throw new ProviderError("provider-unavailable", `${PEER}: HTTP ${reply.status} without a usable token`, {
      httpStatus: reply.status,
      notSent: true,
    });
  }
  // By the vendor's own clock: how long it lives does not depend on ours being right.
  const lifeMs = Math.max(0, expiresMs - (parseDate(reply.headers) ?? nowMs));
  return { value, goodUntilMs: nowMs + lifeMs - Math.min(LONGEST_MARGIN_MS, lifeMs / 10) };
}

function refusedBy(reply: HttpReply, nowMs: number): ProviderError {
  const meaning = meaningOfStatus(reply.status).code;
  const code =
    meaning === "provider-token"
      ? "provider-credentials"
      : meaning === "provider-refused"
        ? "provider-config"
        : meaning;
  const settings =
    code === "provider-credentials" || code === "provider-permission"
      ? CREDENTIAL_SETTINGS.iam
      : "CARDBATCH_HUAWEI_IAM_ENDPOINT and CARDBATCH_HUAWEI_PROJECT_ID";
  const blame =
    code === "provider-unavailable" || code === "provider-throttled" ? "" : `; it does not accept ${settings}`;
  const requestId = pickRequestId(reply.headers["x-request-id"], reply.headers["x-openstack-request-id"]);
  const retryAfterMs = parseRetryAfter(reply.headers, nowMs);
  return new ProviderError(code, `${PEER} answered HTTP ${reply.status}${blame}`, {
    httpStatus: reply.status,
    notSent: true,
    ...(requestId === null ? {} : { requestId }),
    ...(retryAfterMs === null ? {} : { retryAfterMs }),
  });
}

/** A request for a token is no call of the OCR service, whatever became of it. */
function nobodyAnswers(error: ProviderError): ProviderError {
  return new ProviderError("provider-unavailable", error.message, { notSent: true, details: error.details });
}
