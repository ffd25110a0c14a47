import { readdirSync, readFileSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pLimit from "p-limit";
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  callerSettings,
  drawArchive,
  IS_LONG,
  openPlace,
  type Place,
  type Running,
  type RunningEmulator,
  startEmulator,
} from "../helpers/cli.js";
import { seededRandom } from "../helpers/random.js";
import { startWebhookReceiver, type WebhookReceiver } from "../helpers/webhook-receiver.js";

/** Images in each of the three ways to send one. */
const IMAGES = IS_LONG ? 1000 : 30;
const KILLS = 5;
const AT_A_TIME = 8;
const LATENCY_MS = 40;
const SEED = Number(process.env.CARDBATCH_TEST_SEED ?? 7);
const WAYS = ["form", "json", "place"] as const;

let place: Place;
let emulator: RunningEmulator;
let receiver: WebhookReceiver;

beforeAll(async () => {
  place = openPlace();
  await drawArchive(place.path("archive"), WAYS.length * IMAGES);
  await place.run(["keys", "init"]);
  emulator = await startEmulator(place, ["--answer", "fixed", "--latency", String(LATENCY_MS)]);
  receiver = await startWebhookReceiver((count) => (count % 10 === 3 ? 500 : null));
});
afterAll(async () => {
  await receiver.close();
  await place.close();
});

it("tells every outcome of images sent in three ways, whoever is killed meanwhile", { timeout: 900_000 }, async () => {
  const random = seededRandom(SEED);
  const { provider, env: vendor } = callerSettings(emulator.url);
  const env = {
    ...vendor,
    CARDBATCH_ROOTS: `archive=${place.path("archive")}`,
    CARDBATCH_STAGING: place.path("staging"),
    CARDBATCH_WEBHOOK_ALLOW: "127.0.0.1",
  };
  const made = await place.run(
    ["keys", "api", "add", "--name", "crm", "--webhook", receiver.url, "--rate", "5000"],
    env,
  );
  const { key, webhookSecret } = JSON.parse(made.stdout) as { key: string; webhookSecret: string };
  receiver.setSecret(webhookSecret);

  const first = place.start(["serve", "--provider", provider], env);
  const url = await listening(first);
  const startServe = () => place.start(["serve", "--provider", provider, "--port", new URL(url).port], env);
  const startWorker = () =>
    place.start(["worker", "--provider", provider, "--rate", "400", "--concurrency", "16"], env);
  const running = { serve: first, worker: startWorker() };

  const limit = pLimit(AT_A_TIME);
  let sent = 0;
  const requests = new Set<string>();
  const sending = WAYS.flatMap((way, at) =>
    Array.from({ length: IMAGES }, (_, i) =>
      limit(async () => {
        const names = await send(url, key, way, at * IMAGES + i);
        sent++;
        for (const name of names) requests.add(name);
      }),
    ),
  );

  for (let kill = 0; kill < KILLS; kill++) {
    const after = Math.floor(((kill + random()) / KILLS) * sending.length);
    while (sent < after) await sleep(10);
    const who = kill % 2 === 0 ? "serve" : "worker";
    running[who].kill("SIGKILL");
    await running[who].done;
    running[who] = who === "serve" ? startServe() : startWorker();
    if (who === "serve") await listening(running.serve);
  }
  await Promise.all(sending);
  await expect
    .poll(() => receiver.taken.size, { timeout: IS_LONG ? 300_000 : 60_000, interval: 200 })
    .toBe(sending.length);

  const told = [...receiver.taken.values()];
  const again = told.reduce((sum, { times }) => sum + times - 1, 0);
  console.log(`seed ${SEED}: ${told.length} outcomes, ${again} told again, ${KILLS} kills`);
  expect(receiver.forged()).toBe(0);
  expect(told.filter(({ ids }) => ids.size !== 1)).toEqual([]);
  expect(told.map(({ record }) => record.outcome)).toEqual(told.map(() => "accepted"));
  expect(requests.size).toBe(sending.length);
  expect(new Set(told.map(({ record }) => record.request))).toEqual(requests);
  expect(JSON.stringify(told.map(({ record }) => record))).not.toMatch(/"value"/);

  // Those who ask get the same, and nothing is left of what was sent.
  const [batch] = new Set(told.map(({ record }) => record.batch));
  const stored = await outcomesOf(url, key, batch ?? "");
  expect(new Set(stored)).toEqual(requests);
  for (const each of [running.serve, running.worker]) {
    each.kill("SIGTERM");
    expect((await each.done).code, each.stderr()).toBe(0);
  }
  // What a kill left lying there is swept once it is old.
  const longAgo = new Date(Date.now() - 3_600_000);
  for (const left of stagedFiles()) utimesSync(left, longAgo, longAgo);
  await listening(startServe());
  await expect.poll(stagedFiles).toEqual([]);
});

async function listening(serve: Running): Promise<string> {
  while (!serve.stdout().includes("\n")) {
    if (serve.child.exitCode !== null) throw new Error(serve.stderr());
    await sleep(20);
  }
  return (JSON.parse(serve.stdout().split("\n")[0] ?? "") as { listening: string }).listening;
}

/** Sends until it is taken; an Idempotency-Key makes that one request. */
async function send(url: string, key: string, way: (typeof WAYS)[number], image: number): Promise<string[]> {
  const path = `${String(Math.floor(image / 100)).padStart(4, "0")}/${String(image).padStart(6, "0")}.png`;
  const ref = `image-${image}`;
  const bytes = readFileSync(place.path("archive", path));
  const headers: Record<string, string> = { authorization: `Bearer ${key}`, "idempotency-key": ref };
  if (way !== "form") headers["content-type"] = "application/json";
  const body = () => {
    if (way === "json") return JSON.stringify({ image: { data: bytes.toString("base64") }, ref });
    if (way === "place") return JSON.stringify({ image: { root: "archive", path }, ref });
    const form = new FormData();
    form.append("image", new Blob([new Uint8Array(bytes)]), "image.png");
    form.append("ref", ref);
    return form;
  };
  for (;;) {
    const response = await fetch(`${url}/v1/images`, { method: "POST", headers, body: body() }).catch(() => null);
    if (response?.status === 202) {
      const { requests } = (await response.json()) as { requests: { request: string }[] };
      return requests.map(({ request }) => request);
    }
    if (response !== null && response.status < 500 && response.status !== 429) {
      throw new Error(`${response.status} ${await response.text()}`);
    }
    await sleep(100);
  }
}

async function outcomesOf(url: string, key: string, batch: string): Promise<string[]> {
  const found: string[] = [];
  for (let cursor = "0", more = true; more; ) {
    const response = await fetch(`${url}/v1/batches/${batch}/outcomes?limit=50&cursor=${cursor}`, {
      headers: { authorization: `Bearer ${key}` },
    });
    const page = (await response.json()) as { outcomes: { request: string }[]; next: string; more: boolean };
    found.push(...page.outcomes.map(({ request }) => request));
    cursor = page.next;
    more = page.more;
  }
  return found;
}

function stagedFiles(): string[] {
  return readdirSync(place.path("staging"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
