// receive-webhook <port>: takes webhooks and prints each outcome once. CARDBATCH_WEBHOOK_SECRET is the `webhookSecret` of the API key.
import { createServer, type IncomingMessage } from "node:http";
import { CardbatchClientError, verifyWebhook, type WebhookEvent } from "cardbatch";

const secret = process.env.CARDBATCH_WEBHOOK_SECRET ?? "";
/** A service keeps these where it keeps what it does with outcomes, in the same transaction. */
const taken = new Set<string>();

const server = createServer(async (request, response) => {
  try {
    const event = verifyWebhook({ headers: request.headers, body: await readAll(request) }, { secret });
    if (!taken.has(event.id)) take(event);
    // Only now: until then it comes again.
    response.writeHead(204).end();
  } catch (error) {
    response.writeHead(error instanceof CardbatchClientError ? 400 : 500).end();
  }
});
server.listen(Number(process.argv[2] ?? 0), "127.0.0.1", () =>
  console.log("listening", JSON.stringify(server.address())),
);

function take({ id, data }: WebhookEvent): void {
  taken.add(id);
  console.log(data.outcome, data.cards[0]?.number?.masked ?? data.code);
}

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
