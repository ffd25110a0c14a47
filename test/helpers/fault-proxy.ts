import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * - `delay`: every piece comes so much later, both ways.
 * - `silent`: connections stand and are taken, and nothing passes: half-open.
 * - `refuse`: connections break, and none is taken.
 * - `cut`: each reply breaks off after so many bytes.
 */
export type LineFault =
  | { readonly kind: "delay"; readonly ms: number }
  | { readonly kind: "silent" }
  | { readonly kind: "refuse" }
  | { readonly kind: "cut"; readonly afterBytes: number };

export interface FaultProxy {
  /** The server behind it, through it. */
  readonly url: string;
  /** From now on, until `null`. @param only connections that said this in their first kilobyte */
  setFault(fault: LineFault | null, only?: string): Promise<void>;
  /** The next reply never arrives: what was asked has been done, and the connection breaks before anybody is told. */
  loseNextReply(): void;
  /** Replies lost so far. */
  lost(): number;
  close(): Promise<void>;
}

interface Line {
  readonly client: Socket;
  readonly upstream: Socket;
  /** What its client said first. */
  opening: string;
}

const OPENING_BYTES = 1024;

/** Stands between a client and its server, and spoils the line where it hurts. */
export async function openFaultProxy(target: string): Promise<FaultProxy> {
  const { hostname, port } = new URL(target);
  const lines = new Set<Line>();
  let fault: LineFault | null = null;
  let only = "";
  let losesNext = false;
  let lost = 0;

  const faultOf = ({ opening }: Line) => (opening.includes(only) ? fault : null);
  const open = (client: Socket) => {
    const line: Line = { client, upstream: connect(Number(port), hostname), opening: "" };
    const { upstream } = line;
    lines.add(line);
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      socket.on("error", () => {});
      socket.on("close", () => {
        lines.delete(line);
        other.destroy();
      });
    }
    client.on("data", (bytes) => {
      if (line.opening.length < OPENING_BYTES) line.opening += bytes.toString("latin1");
      pass(bytes, upstream, faultOf(line));
    });
    upstream.on("data", (reply) => {
      if (losesNext) {
        losesNext = false;
        lost++;
        client.destroy();
        return;
      }
      const spoiled = faultOf(line);
      if (spoiled?.kind === "cut" && reply.length > spoiled.afterBytes) {
        client.end(reply.subarray(0, spoiled.afterBytes));
        upstream.destroy();
        return;
      }
      pass(reply, client, spoiled);
    });
  };
  const server = createServer(open);
  const listen = async (at: number) => {
    server.listen(at, "127.0.0.1");
    await once(server, "listening");
  };
  const breakAll = () => {
    for (const { client, upstream } of lines) {
      client.destroy();
      upstream.destroy();
    }
  };
  const stopListening = async () => {
    if (!server.listening) return;
    const closed = once(server, "close");
    server.close();
    breakAll();
    await closed;
  };

  await listen(0);
  const url = new URL(target);
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href.replace(/\/$/, ""),
    setFault: async (next, toWhom = "") => {
      const wasSilent = fault?.kind === "silent";
      [fault, only] = [next, toWhom];
      if (next?.kind === "refuse") return stopListening();
      if (!server.listening) await listen(Number(url.port));
      // What was swallowed is gone: such a line is of no use any more.
      if (wasSilent) breakAll();
    },
    loseNextReply: () => {
      losesNext = true;
    },
    lost: () => lost,
    close: stopListening,
  };
}

/** Pieces that are still held back; what comes after them must not overtake them, however late timers are. */
const heldBack = new WeakMap<Socket, Promise<unknown>>();

function pass(bytes: Buffer, to: Socket, fault: LineFault | null): void {
  if (fault?.kind === "silent" || fault?.kind === "refuse") return;
  const delayMs = fault?.kind === "delay" ? fault.ms : 0;
  const before = heldBack.get(to);
  if (delayMs === 0 && before === undefined) {
    to.write(bytes);
    return;
  }
  const mine = Promise.all([before, sleep(delayMs)]).then(() => {
    if (heldBack.get(to) === mine) heldBack.delete(to);
    to.write(bytes);
  });
  heldBack.set(to, mine);
}
