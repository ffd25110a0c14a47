import type { ChildProcess } from "node:child_process";
import type { Readable, Writable } from "node:stream";

type Fields = Readonly<Record<string, unknown>>;

interface Message {
  readonly id?: number;
  readonly sessionId?: string;
  readonly method?: string;
  readonly params?: Fields;
  readonly result?: Fields;
  readonly error?: { readonly message: string };
}

/** Chrome's DevTools protocol, of the browser or of one of its pages. */
export interface Devtools {
  /** @throws Error when the browser refuses it, or is gone */
  send(method: string, params?: Fields): Promise<Fields>;
  on(event: string, listen: (params: Fields) => void): void;
  /** The next event of that name from now on. */
  next(event: string): Promise<Fields>;
  /** A page that is attached to. */
  session(sessionId: string): Devtools;
}

/** Of a browser that was started with `--remote-debugging-pipe`: messages of JSON, each ended by a zero byte. */
export function connectPipe(browser: ChildProcess): Devtools {
  const [, , , input, output] = browser.stdio as [null, null, null, Writable, Readable];
  const waiting = new Map<number, { resolve: (fields: Fields) => void; reject: (error: Error) => void }>();
  const listeners = new Set<(message: Message) => void>();
  let lastId = 0;
  let rest = "";
  const take = (message: Message) => {
    if (message.id === undefined) {
      for (const listen of listeners) listen(message);
      return;
    }
    const its = waiting.get(message.id);
    waiting.delete(message.id);
    if (message.error === undefined) its?.resolve(message.result ?? {});
    else its?.reject(new Error(message.error.message));
  };
  output.setEncoding("utf8").on("data", (text: string) => {
    const whole = (rest + text).split("\0");
    rest = whole.pop() ?? "";
    for (const each of whole) take(JSON.parse(each) as Message);
  });
  input.on("error", () => {}); // it is gone: "exit" says so
  browser.on("exit", () => {
    for (const { reject } of waiting.values()) reject(new Error("the browser is gone"));
  });

  const over = (sessionId: string | undefined): Devtools => {
    const on: Devtools["on"] = (event, listen) =>
      listeners.add(({ method, sessionId: from, params = {} }) => {
        if (method === event && from === sessionId) listen(params);
      });
    return {
      send: (method, params = {}) =>
        new Promise((resolve, reject) => {
          waiting.set(++lastId, { resolve, reject });
          input.write(`${JSON.stringify({ id: lastId, method, params, ...(sessionId && { sessionId }) })}\0`);
        }),
      on,
      next: (event) => new Promise((resolve) => on(event, resolve)),
      session: over,
    };
  };
  return over(undefined);
}
