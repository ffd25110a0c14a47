import { connect as connectPlain, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

/** Where a Redis listens and what it wants to hear. */
export interface RedisAddress {
  readonly host: string;
  readonly port: number;
  readonly tls?: boolean;
  readonly username?: string;
  readonly password?: string;
}

/**
 * A connection for a handful of commands, one at a time: all that bringing and keeping a Redis needs, without a package,
 * because the keeper runs on plain Node. Everything else talks to Redis through `queue`.
 */
export interface RedisConnection {
  /**
   * @returns the answer's text; the empty string for nil
   * @throws RespError when Redis answers with an error, Error when the connection ends or no answer came in time
   */
  command(...words: string[]): Promise<string>;
  /** Called once, when the connection has ended, whoever ended it. */
  onClose(listener: () => void): void;
  /** Lets the process end while the connection is open. */
  unref(): void;
  close(): void;
}

/** Redis answered with an error. `code` is its first word, such as `WRONGPASS` or `LOADING`. */
export class RespError extends Error {
  override readonly name = "RespError";
  readonly code: string;

  constructor(message: string) {
    super(message);
    this.code = message.split(" ", 1)[0] ?? "";
  }
}

const TIMEOUT_MS = 5000;
/** The longest answer asked for is `INFO server`, 2 kB; a peer that sends more without an end is no Redis. */
const MAX_ANSWER_BYTES = 64 * 1024;
const MINUS = "-".charCodeAt(0);
const DOLLAR = "$".charCodeAt(0);
const FOREIGN = "what answers there does not speak Redis' protocol";

/**
 * Connects and, with a password, authenticates.
 * @throws RespError when the password is refused, Error (with the system's `code` where there is one) when nobody answers
 */
export async function openRedis(address: RedisAddress, timeoutMs = TIMEOUT_MS): Promise<RedisConnection> {
  const { host, port } = address;
  const socket = address.tls ? connectTls({ host, port, servername: host }) : connectPlain({ host, port });
  const connection = converse(socket, timeoutMs);
  try {
    if (address.password !== undefined) {
      await connection.command("AUTH", ...(address.username ? [address.username] : []), address.password);
    }
    await connection.command("PING");
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

interface Waiter {
  readonly resolve: (answer: string) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

function converse(socket: Socket, timeoutMs: number): RedisConnection {
  const waiting: Waiter[] = [];
  let buffered = Buffer.alloc(0);
  let failure = new Error("the connection was closed");

  socket.setNoDelay(true);
  socket.on("data", (chunk) => {
    buffered = Buffer.concat([buffered, chunk]);
    for (let parsed = parse(buffered); parsed !== null; parsed = parse(buffered)) {
      if (parsed === "foreign") return void socket.destroy(new Error(FOREIGN));
      buffered = buffered.subarray(parsed.bytes);
      const waiter = waiting.shift();
      clearTimeout(waiter?.timer);
      if (parsed.answer instanceof RespError) waiter?.reject(parsed.answer);
      else waiter?.resolve(parsed.answer);
    }
    if (buffered.length > MAX_ANSWER_BYTES) socket.destroy(new Error(FOREIGN));
  });
  socket.on("error", (error) => {
    failure = error;
  });
  socket.on("close", () => {
    for (const waiter of waiting.splice(0)) {
      clearTimeout(waiter.timer);
      waiter.reject(failure);
    }
  });

  return {
    command: (...words) =>
      new Promise((resolve, reject) => {
        if (socket.destroyed) return reject(failure);
        const timer = setTimeout(() => socket.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
        waiting.push({ resolve, reject, timer });
        socket.write(encode(words));
      }),
    onClose: (listener) => {
      if (socket.closed) listener();
      else socket.once("close", listener);
    },
    unref: () => socket.unref(),
    close: () => socket.destroy(),
  };
}

function encode(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join("")}`;
}

interface Parsed {
  readonly answer: string | RespError;
  readonly bytes: number;
}

/** The first whole answer in `bytes`: a simple string, an error, an integer or a bulk string of RESP2. */
function parse(bytes: Buffer): Parsed | "foreign" | null {
  if (bytes.length > 0 && !"+:-$".includes(String.fromCharCode(bytes[0] ?? 0))) return "foreign";
  const end = bytes.indexOf("\r\n");
  if (end < 0) return null;
  const text = bytes.toString("utf8", 1, end);
  if (bytes[0] === MINUS) return { answer: new RespError(text), bytes: end + 2 };
  if (bytes[0] !== DOLLAR) return { answer: text, bytes: end + 2 };
  if (text === "-1") return { answer: "", bytes: end + 2 };
  if (!/^\d{1,9}$/.test(text)) return "foreign";
  const start = end + 2;
  const stop = start + Number(text);
  return bytes.length < stop + 2 ? null : { answer: bytes.toString("utf8", start, stop), bytes: stop + 2 };
}
