import { createHmac, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { OutcomeRecord } from "../../src/domain/record.js";

/** How old, or how far ahead, a message may be. @unit seconds */
const TOLERANCE_S = 300;

export interface WebhookReceiver {
  readonly url: string;
  /** What was taken: of each request's `ref` the ids it was told by, and what was told. */
  readonly taken: Map<string, { readonly ids: Set<string>; readonly record: OutcomeRecord; times: number }>;
  /** Messages whose signature or time is wrong. */
  readonly forged: () => number;
  /** The secret that messages are signed with. */
  setSecret(secret: string): void;
  close(): Promise<void>;
}

/**
 * A receiver of Standard Webhooks, checked by hand and not by our own code.
 * @param refuse the status that a message, counted from 0, is answered with; null: it is taken
 */
export async function startWebhookReceiver(
  refuse: (count: number) => number | null = () => null,
): Promise<WebhookReceiver> {
  const taken: WebhookReceiver["taken"] = new Map();
  let secret = "";
  let forged = 0;
  let count = 0;
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    const header = (name: string) => String(request.headers[name] ?? "");
    const isGenuine = verify(
      secret,
      header("webhook-id"),
      header("webhook-timestamp"),
      body,
      header("webhook-signature"),
    );
    if (!isGenuine) forged++;
    const status = refuse(count++);
    if (status !== null) return void response.writeHead(status).end();
    const { data } = JSON.parse(body) as { data: OutcomeRecord };
    const ref = data.ref ?? data.request;
    const before = taken.get(ref) ?? { ids: new Set<string>(), record: data, times: 0 };
    before.ids.add(header("webhook-id"));
    before.times++;
    taken.set(ref, before);
    response.writeHead(204).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/outcomes`,
    taken,
    forged: () => forged,
    setSecret: (its) => {
      secret = its;
    },
    close: async () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** As standardwebhooks.com says: any of the signatures may be the right one. */
function verify(secret: string, id: string, timestamp: string, body: string, signatures: string): boolean {
  if (Math.abs(Date.now() / 1000 - Number(timestamp)) > TOLERANCE_S) return false;
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const expected = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest();
  return signatures.split(" ").some((signature) => {
    const [version, value = ""] = signature.split(",");
    const given = Buffer.from(value, "base64");
    return version === "v1" && given.length === expected.length && timingSafeEqual(given, expected);
  });
}
