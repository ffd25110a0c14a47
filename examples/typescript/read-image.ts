// read-image <image> [ref]: sends an image, waits for its outcome, and prints it. `read-image --stored <root> <path>…` names images
// that the server can read itself, as one batch.
import { readFile } from "node:fs/promises";
import { CardbatchClient, CardbatchClientError, type OutcomeRecord } from "cardbatch";

const client = new CardbatchClient({
  baseUrl: process.env.CARDBATCH_URL ?? "http://127.0.0.1:8080",
  apiKey: process.env.CARDBATCH_KEY ?? "",
});

try {
  const [first = "", ...rest] = process.argv.slice(2);
  if (first === "--stored") await readStored(rest[0] ?? "", rest.slice(1));
  else await readFileAt(first, rest[0]);
} catch (error) {
  if (!(error instanceof CardbatchClientError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}

async function readFileAt(path: string, ref: string | undefined): Promise<void> {
  const { requests } = await client.readImage(await readFile(path), ref === undefined ? {} : { ref });
  // One request a page.
  for (const { request } of requests) print(await client.outcome(request));
}

async function readStored(root: string, paths: readonly string[]): Promise<void> {
  const batch = `example-${Date.now()}`;
  await client.createBatch({ batch, images: paths.map((path) => ({ root, path, ref: path })) });
  for await (const outcome of client.outcomes(batch)) print(outcome);
}

function print({ outcome, cards, code = "" }: OutcomeRecord): void {
  console.log(outcome, cards[0]?.number?.masked ?? code);
}
