import type { IncomingHttpHeaders } from "node:http";
import type { Dispatcher } from "undici";
import { CancelledError, ProviderError } from "../domain/errors.js";
import { onAbort } from "./on-abort.js";

export interface ExchangeRequest {
  /** Who is called, for messages: `huawei`, `huawei IAM`. */
  readonly peer: string;
  readonly origin: string;
  readonly host: string;
  readonly method: "GET" | "POST" | "PUT";
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | null;
  /** From now to the last byte of the reply, the wait for a free connection included. */
  readonly timeoutMs: number;
  readonly maxResponseBytes: number;
}

/** What undici calls a reply that it cannot parse; its HTTPParserError has lost its code. */
const NOT_HTTP = /^(HTTPParserError|HPE_\w+|UND_ERR_HEADERS_OVERFLOW)$/;

/** A reply as far as it came: with a status, and where its body stopped early, why. */
export interface HttpReply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly cut: "connection" | "timeout" | "too-large" | null;
  /** From the moment the request was written to the last byte received. */
  readonly latencyMs: number;
}

/**
 * One HTTP request and its reply, over undici's dispatch interface: the only one that tells the moment a request is
 * written to a connection, and so a call that never went out from one that may have been billed.
 *
 * States: `waiting` (for a connection) → `sent` → `replying` (status known) → `settled`.
 * A request is written once: where undici would write it again, it is given up instead.
 *
 * @throws ProviderError `provider-connection` (`notSent` while waiting, `uncertain` after), `provider-timeout`
 *   (`uncertain`), `provider-response` (`uncertain`, the reply was not HTTP) or CancelledError; once a status has come the reply is returned
 */
export function exchange(dispatcher: Dispatcher, request: ExchangeRequest, signal: AbortSignal): Promise<HttpReply> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(new CancelledError());
    const handler = new ExchangeHandler(request, signal, { resolve, reject });
    dispatcher.dispatch(
      {
        origin: request.origin,
        path: request.path,
        method: request.method,
        headers: request.headers,
        body: request.body,
      },
      handler,
    );
  });
}

interface Settle {
  readonly resolve: (reply: HttpReply) => void;
  readonly reject: (error: Error) => void;
}

class ExchangeHandler implements Dispatcher.DispatchHandler {
  readonly #request: ExchangeRequest;
  readonly #promise: Settle;
  readonly #timer: NodeJS.Timeout;
  readonly #stopListening: () => void;
  readonly #chunks: Buffer[] = [];
  #state: "waiting" | "sent" | "replying" | "settled" = "waiting";
  #controller: Dispatcher.DispatchController | null = null;
  #sentAt = 0;
  #status = 0;
  #headers: IncomingHttpHeaders = {};
  #received = 0;

  constructor(request: ExchangeRequest, signal: AbortSignal, promise: Settle) {
    this.#request = request;
    this.#promise = promise;
    this.#timer = setTimeout(() => this.#onTimeout(), request.timeoutMs);
    this.#stopListening = onAbort(signal, () => this.#onCancelled());
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#state !== "waiting") {
      this.#fail(this.#connectionError("written twice"));
      controller.abort(new Error("settled"));
      return;
    }
    this.#state = "sent";
    this.#sentAt = performance.now();
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (status < 200) return;
    this.#state = "replying";
    this.#status = status;
    this.#headers = headers;
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#received += chunk.length;
    if (this.#received > this.#request.maxResponseBytes) this.#finish("too-large");
    else this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    this.#finish(null);
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    if (this.#state === "replying") this.#finish("connection");
    else this.#fail(this.#connectionError("code" in error && error.code ? String(error.code) : error.name));
  }

  #onCancelled(): void {
    this.#fail(new CancelledError("stopped on request", { uncertain: this.#state !== "waiting" }));
  }

  #onTimeout(): void {
    if (this.#state === "replying") this.#finish("timeout");
    else this.#fail(this.#state === "waiting" ? this.#connectionError("timeout") : this.#timeoutError());
  }

  #timeoutError(): ProviderError {
    const { peer, host, timeoutMs } = this.#request;
    return new ProviderError("provider-timeout", `${peer}: no answer from ${host} within ${timeoutMs} ms`, {
      uncertain: true,
    });
  }

  #connectionError(networkCode: string): ProviderError {
    const { peer, host } = this.#request;
    const details = { host, network: networkCode };
    if (this.#state === "waiting") {
      const message = `${peer}: no connection to ${host} (${networkCode})`;
      return new ProviderError("provider-connection", message, { notSent: true, details });
    }
    if (NOT_HTTP.test(networkCode)) {
      const message = `${peer}: ${host} did not answer in HTTP (${networkCode})`;
      return new ProviderError("provider-response", message, { uncertain: true, maxAttempts: 3, details });
    }
    const message = `${peer}: ${host} closed the connection before it answered (${networkCode})`;
    return new ProviderError("provider-connection", message, { uncertain: true, details });
  }

  #finish(cut: HttpReply["cut"]): void {
    // Whole tenths: a long fraction would look like a card number to whoever scans logs for them.
    const latencyMs = Math.round((performance.now() - this.#sentAt) * 10) / 10;
    const body = this.#chunks.length === 1 ? (this.#chunks[0] ?? Buffer.alloc(0)) : Buffer.concat(this.#chunks);
    if (!this.#settle(cut !== null)) return;
    this.#promise.resolve({ status: this.#status, headers: this.#headers, body, cut, latencyMs });
  }

  #fail(error: Error): void {
    if (this.#settle(true)) this.#promise.reject(error);
  }

  #settle(abort: boolean): boolean {
    if (this.#state === "settled") return false;
    this.#state = "settled";
    clearTimeout(this.#timer);
    this.#stopListening();
    if (abort) this.#controller?.abort(new Error("settled"));
    return true;
  }
}
