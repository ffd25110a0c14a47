import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { CardbatchClientError } from "./client-error.js";

/** Answers after which the same request may well be answered otherwise. */
const PASSING: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504, 507]);
const FIRST_AGAIN_MS = 250;
const LONGEST_AGAIN_MS = 10_000;

const problemSchema = z.object({
  code: z.string().optional(),
  detail: z.string().optional(),
  issues: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
});

export interface CallerOptions {
  /** Where `cardbatch serve` listens, such as `https://cards.example`. */
  readonly baseUrl: string;
  readonly apiKey: string;
  /** Of one try, without the time it was asked to wait. @unit milliseconds */
  readonly timeoutMs: number;
  /** How often a request is sent again. */
  readonly retries: number;
  readonly fetch: typeof fetch;
  /** 0 ≤ random() < 1 */
  readonly random: () => number;
}

export interface HttpCall {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Made anew for each try. */
  readonly body?: () => string | FormData;
  /** How long the server may hold the answer back. @unit milliseconds */
  readonly waitMs?: number;
  /** @default false */
  readonly onlyOnce?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Asks, again after what passes, and checks the answer's shape.
 * @throws CardbatchClientError `http-refused`, `http-unavailable`
 */
export type CallHttp = <T>(call: HttpCall, schema: z.ZodType<T>) => Promise<T>;

export function createCaller(options: CallerOptions): CallHttp {
  return async (call, schema) => {
    const tries = call.onlyOnce === true ? 1 : options.retries + 1;
    for (let attempt = 1; ; attempt++) {
      const failure = await tryOnce(options, call, schema);
      if ("value" in failure) return failure.value;
      const { error, isPassing } = failure;
      if (!isPassing || attempt >= tries) throw error;
      const backoffMs = Math.min(FIRST_AGAIN_MS * 2 ** attempt, LONGEST_AGAIN_MS) * options.random();
      await sleep(Math.max(error.retryAfterMs ?? 0, backoffMs), undefined, { signal: call.signal });
    }
  };
}

type Tried<T> = { readonly value: T } | { readonly error: CardbatchClientError; readonly isPassing: boolean };

async function tryOnce<T>(options: CallerOptions, call: HttpCall, schema: z.ZodType<T>): Promise<Tried<T>> {
  const what = `${call.method} ${call.path}`;
  const timeout = AbortSignal.timeout(options.timeoutMs + (call.waitMs ?? 0));
  let response: Response;
  let text: string;
  try {
    response = await send(options, call, timeout);
    text = await response.text();
  } catch (cause) {
    call.signal?.throwIfAborted();
    const how = timeout.aborted ? `no answer within ${options.timeoutMs} ms` : "no connection, or it broke";
    return { error: new CardbatchClientError("http-unavailable", `${what}: ${how}`, { cause }), isPassing: true };
  }
  if (!response.ok) return { error: refusal(what, response, text), isPassing: PASSING.has(response.status) };
  const parsed = schema.safeParse(parseJson(text));
  if (parsed.success) return { value: parsed.data };
  const message = `${what}: the answer is none of this API; is ${options.baseUrl} the right address?`;
  return { error: new CardbatchClientError("http-unavailable", message), isPassing: false };
}

function send({ baseUrl, apiKey, fetch }: CallerOptions, call: HttpCall, timeout: AbortSignal): Promise<Response> {
  const url = new URL(call.path.replace(/^\//, ""), baseUrl.endsWith("/") ? baseUrl : `${baseUrl}/`);
  for (const [name, value] of Object.entries(call.query ?? {})) {
    if (value !== undefined) url.searchParams.set(name, String(value));
  }
  const body = call.body?.();
  const type = typeof body === "string" ? { "content-type": "application/json" } : {};
  return fetch(url, {
    method: call.method,
    headers: { authorization: `Bearer ${apiKey}`, ...type, ...call.headers },
    ...(body === undefined ? {} : { body }),
    // The key is for this server alone.
    redirect: "error",
    signal: call.signal === undefined ? timeout : AbortSignal.any([call.signal, timeout]),
  });
}

function refusal(what: string, { status, headers }: Response, text: string): CardbatchClientError {
  const { code = "", detail = "", issues = [] } = problemSchema.safeParse(parseJson(text)).data ?? {};
  const retryAfterS = Number(headers.get("retry-after") ?? Number.NaN);
  const reason = [code, detail, ...issues.map(({ path, message }) => `${path} ${message}`)].filter(
    (part) => part !== "",
  );
  return new CardbatchClientError("http-refused", `${what}: ${status} ${reason.join(": ")}`.trim(), {
    status,
    issues,
    ...(code === "" ? {} : { problem: code }),
    ...(retryAfterS >= 0 ? { retryAfterMs: retryAfterS * 1000 } : {}),
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
