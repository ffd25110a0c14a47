import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type MadeApiKey, rotateWebhookSecret } from "../../../src/app/api-keys.js";
import { numberField } from "../../../src/domain/card-vault.js";
import { Pan } from "../../../src/domain/pan.js";
import type { ImageJob, RequestId } from "../../../src/domain/payload.js";
import type { Outcome } from "../../../src/domain/reading.js";
import { type OutcomeRecord, RECORD_SCHEMA } from "../../../src/domain/record.js";
import { cardNumber } from "../../helpers/card-numbers.js";
import { drawPng } from "../../helpers/png.js";
import { recordCardOf } from "../../helpers/record-card.js";
import { startWebhookReceiver, type WebhookReceiver } from "../../helpers/webhook-receiver.js";
import { imageForm, startService, type TestService } from "./service.js";

/** From being sent to being told, with a worker that says what the test wants it to. */

const TWO_PAGES = readFileSync(new URL("../../../samples/scans/two-pages.tif", import.meta.url));

let service: TestService;
let receiver: WebhookReceiver;
let refusing: number | null = null;
let key: MadeApiKey;
let images = 0;
beforeAll(async () => {
  receiver = await startWebhookReceiver(() => refusing);
  service = await startService({}, { CARDBATCH_WEBHOOK_ALLOW: "127.0.0.1" });
  key = await service.makeKey({ webhook: receiver.url, scopes: ["enqueue", "read", "reveal"] });
  receiver.setSecret(key.webhookSecret);
});
afterAll(() => receiver.close());

interface View {
  readonly request: RequestId;
  readonly batch: string;
  readonly page: number;
  readonly status: string;
  readonly outcome: OutcomeRecord | null;
}

async function call<T = Record<string, unknown>>(method: string, path: string, body?: unknown, as = key): Promise<T> {
  const isForm = body instanceof FormData;
  const response = await fetch(service.url + path, {
    method,
    headers: {
      authorization: `Bearer ${as.key}`,
      ...(body === undefined || isForm ? {} : { "content-type": "application/json" }),
    },
    ...(body === undefined ? {} : { body: isForm ? body : JSON.stringify(body) }),
  });
  return { ...((await response.json()) as object), httpStatus: response.status } as T;
}

async function send(fields: Readonly<Record<string, string>> = {}, query = "", bytes = drawPng(images++)) {
  return call<{ httpStatus: number; batch: string; requests: View[] }>(
    "POST",
    `/v1/images${query}`,
    imageForm(bytes, fields),
  );
}

/** What a worker does with a request's job: takes it off the queue, and publishes. */
async function finish(
  { request, batch, page }: View,
  outcome: Outcome,
  more: Partial<OutcomeRecord> = {},
): Promise<void> {
  const { redis, keys, batches, outcomes } = service.app;
  const queue = `${keys.prefix}:card-images`;
  const job = JSON.parse((await redis.hget(`${queue}:${request}`, "data")) ?? "null") as ImageJob;
  await redis
    .multi()
    .lrem(`${queue}:wait`, 0, request)
    .zrem(`${queue}:prioritized`, request)
    .del(`${queue}:${request}`)
    .exec();
  const { destination = null, generation = "1" } = (await batches.get(batch)) ?? {};
  const record: OutcomeRecord = {
    schema: RECORD_SCHEMA,
    request,
    image: { key: job.image.key ?? null, source: "a", page },
    batch,
    ref: job.ref ?? null,
    outcome,
    reasons: [],
    cards: outcome === "accepted" ? [recordCardOf()] : [],
    ...(outcome === "failed" ? { code: "provider-timeout", message: "no answer" } : {}),
    provider: null,
    calls: 1,
    attempts: 1,
    finishedAt: new Date().toISOString(),
    ...more,
  };
  await outcomes.publish(record, destination, generation, job);
}

function one(views: readonly View[]): View {
  const [view] = views;
  if (view === undefined || views.length !== 1) throw new Error(`${views.length} requests`);
  return view;
}

/** The request's job, as a worker would find it. */
async function waiting(): Promise<string[]> {
  const { redis, keys } = service.app;
  const queue = `${keys.prefix}:card-images`;
  return [...(await redis.lrange(`${queue}:wait`, 0, -1)), ...(await redis.zrange(`${queue}:prioritized`, "0", "-1"))];
}

describe("one image", () => {
  test("who waits gets the outcome when it comes, and what was staged is gone", async () => {
    const sending = send({ ref: "waited for" }, "?wait=20s");
    await expect.poll(async () => (await waiting()).length).toBe(1);
    const [request = ""] = await waiting();
    expect(service.staged()).toHaveLength(1);
    const view = await call<View>("GET", `/v1/requests/${request}`);
    expect(view).toMatchObject({ httpStatus: 200, status: "pending", outcome: null, ref: "waited for" });
    await finish(view, "accepted");
    const { httpStatus, requests } = await sending;
    expect(httpStatus).toBe(200);
    expect(one(requests)).toMatchObject({ status: "done", outcome: { outcome: "accepted", ref: "waited for" } });
    await expect.poll(service.staged).toEqual([]);
    await expect.poll(() => receiver.taken.get("waited for")?.times).toBe(1);
  });

  test("who waits too short a time is told so, and asks again", async () => {
    const { httpStatus, requests } = await send({}, "?wait=50ms");
    expect(httpStatus).toBe(202);
    const asking = call<View>("GET", `/v1/requests/${one(requests).request}?wait=20s`);
    await finish(one(requests), "review");
    expect(await asking).toMatchObject({ status: "done", outcome: { outcome: "review" } });
  });

  test("each page of a file is a request, and the file is kept until the last has its outcome", async () => {
    const { requests } = await send({ ref: "pages" }, "", TWO_PAGES);
    expect(requests.map(({ page }) => page)).toEqual([0, 1]);
    const [first, second] = requests as [View, View];
    await finish(second, "accepted");
    await expect
      .poll(async () => (await call<View>("GET", second.request.replace(/^/, "/v1/requests/"))).status)
      .toBe("done");
    expect(service.staged()).toHaveLength(1);
    await finish(first, "rejected");
    await expect.poll(service.staged).toEqual([]);
  });

  test("one page that is named is one request", async () => {
    const { requests } = await send({ page: "1" }, "", TWO_PAGES);
    expect(one(requests)).toMatchObject({ page: 1 });
    await finish(one(requests), "accepted");
  });

  test("of a failed one the image is kept, until a retry has another outcome, which is told by another name", async () => {
    const { requests } = await send({ ref: "tried again", batch: "retried" });
    const view = one(requests);
    await finish(view, "failed");
    await expect.poll(() => receiver.taken.get("tried again")?.ids.size).toBe(1);
    expect(service.staged()).toHaveLength(1);
    expect(await call("POST", "/v1/batches/retried/retry", {})).toMatchObject({ httpStatus: 200, retried: 1 });
    await finish(view, "accepted");
    await expect.poll(() => receiver.taken.get("tried again")?.ids.size).toBe(2);
    await expect.poll(service.staged).toEqual([]);
    expect(await call<View>("GET", `/v1/requests/${view.request}`)).toMatchObject({ outcome: { outcome: "accepted" } });
    const page = await call<{ outcomes: OutcomeRecord[] }>("GET", "/v1/batches/retried/outcomes");
    expect(page.outcomes.map(({ outcome }) => outcome)).toEqual(["accepted"]);
  });
});

describe("a batch", () => {
  beforeAll(async () => {
    for (const name of ["a", "b", "c"]) await writeFile(join(service.archive, `${name}.png`), drawPng(images++));
  });

  test("of a folder is put on the queue in the background, and read page by page", async () => {
    const made = await call("POST", "/v1/batches", { batch: "folder", source: { root: "archive" } });
    expect(made).toMatchObject({ httpStatus: 202, batch: "folder", url: "/v1/batches/folder" });
    await expect
      .poll(() => call("GET", "/v1/batches/folder"))
      .toMatchObject({ state: "working", found: 3, pending: 3 });
    for (const request of await waiting()) {
      await finish({ request: request as RequestId, batch: "folder", page: 0, status: "", outcome: null }, "accepted");
    }
    await expect
      .poll(() => call("GET", "/v1/batches/folder"))
      .toMatchObject({ state: "complete", outcomes: { accepted: 3 } });
    const found: string[] = [];
    for (let cursor = "0", complete = false; !complete; ) {
      const page = await call<{ outcomes: OutcomeRecord[]; next: string; complete: boolean }>(
        "GET",
        `/v1/batches/folder/outcomes?limit=2&cursor=${cursor}`,
      );
      found.push(...page.outcomes.map(({ request }) => request));
      ({ next: cursor, complete } = page);
    }
    expect(new Set(found).size).toBe(3);
    expect(found).toHaveLength(3);
    // The same again is the same batch, and nothing is read twice.
    expect(await call("POST", "/v1/batches", { batch: "folder", source: { root: "archive" } })).toMatchObject({
      httpStatus: 202,
    });
    await expect.poll(() => call("GET", "/v1/batches/folder")).toMatchObject({ state: "complete", found: 3 });
    expect(await waiting()).toEqual([]);
    const other = { batch: "folder", source: { root: "archive", path: "" }, priority: "interactive" };
    expect(await call("POST", "/v1/batches", other)).toMatchObject({ httpStatus: 409, code: "conflict" });
  });

  test("of a list keeps each image's ref; what cannot be read fails by itself", async () => {
    const list = [
      { root: "archive", path: "a.png", ref: "list-a" },
      { root: "archive", path: "missing.png", ref: "list-missing" },
    ];
    expect(await call("POST", "/v1/batches", { batch: "list", images: list })).toMatchObject({ httpStatus: 202 });
    await expect.poll(() => call("GET", "/v1/batches/list")).toMatchObject({ found: 2, outcomes: { failed: 1 } });
    const page = await call<{ outcomes: OutcomeRecord[] }>("GET", "/v1/batches/list/outcomes");
    expect(page.outcomes).toMatchObject([{ ref: "list-missing", code: "image-not-found" }]);
    const [request = ""] = await waiting();
    await finish({ request: request as RequestId, batch: "list", page: 0, status: "", outcome: null }, "accepted");
    await expect.poll(() => receiver.taken.get("list-a")?.times).toBe(1);
  });

  test("is paused, goes on, and is cancelled; then it takes no image", async () => {
    await send({ batch: "halted" });
    expect(await call("POST", "/v1/batches/halted/pause")).toMatchObject({ httpStatus: 200, state: "paused" });
    expect(await call("POST", "/v1/batches/halted/resume")).toMatchObject({ httpStatus: 200, state: "open" });
    expect(await call("POST", "/v1/batches/halted/cancel")).toMatchObject({ httpStatus: 200, state: "cancelled" });
    expect(await send({ batch: "halted" })).toMatchObject({ httpStatus: 409, code: "conflict" });
    const [request = ""] = await waiting();
    await finish({ request: request as RequestId, batch: "halted", page: 0, status: "", outcome: null }, "rejected");
  });
});

test("numbers are in the clear for who may see them, once that is recorded, and for nobody else", async () => {
  const { requests } = await send({ ref: "revealed" });
  const view = one(requests);
  const digits = cardNumber();
  const number = new Pan(digits);
  const jwe = await service.app.vault.sealNumber(number, { request: view.request, field: numberField(0) });
  const card = { masked: number.masked, length: 16, luhn: true, fingerprint: "fp1.kid.a", jwe };
  await finish(view, "accepted", { cards: [recordCardOf({ number: card })] });
  await expect.poll(async () => (await call<View>("GET", `/v1/requests/${view.request}`)).status).toBe("done");
  const revealed = await call("POST", `/v1/requests/${view.request}/reveal`, { reason: "a test" });
  expect(revealed).toMatchObject({ httpStatus: 200, cards: [{ number: { value: digits } }] });
  const audit = readFileSync(join(service.folder, "reveal-audit.ndjson"), "utf8");
  expect(JSON.parse(audit)).toMatchObject({ reason: "a test", user: `API key ${key.id} (test)`, count: 1 });
  expect(audit).not.toContain(digits);
  expect(JSON.stringify(await call("GET", `/v1/requests/${view.request}`))).not.toContain(digits);
  await expect.poll(() => receiver.taken.has("revealed")).toBe(true);
  expect(JSON.stringify(receiver.taken.get("revealed")?.record)).not.toContain(digits);

  const other = await service.makeKey({ scopes: ["reveal"] });
  const admin = await service.makeKey({ scopes: ["admin"] });
  const reveal = (as: MadeApiKey) => call("POST", `/v1/requests/${view.request}/reveal`, { reason: "x" }, as);
  expect(await reveal(other)).toMatchObject({ httpStatus: 404 });
  expect(await reveal(admin)).toMatchObject({ httpStatus: 200 });
});

describe("webhooks", () => {
  test("one that is refused is tried again by the same name, and while secrets change it has a signature by each", async () => {
    const before = receiver.forged();
    const secret = await rotateWebhookSecret(service.app, service.apiKeys, key.id);
    refusing = 503;
    const { requests } = await send({ ref: "refused first" });
    await finish(one(requests), "accepted");
    await expect.poll(() => service.app.redis.zcard(service.app.keys.deliveriesDue())).toBe(1);
    const [id = ""] = await service.app.redis.zrange(service.app.keys.deliveriesDue(), "0", "0");
    await expect.poll(() => service.app.redis.hget(service.app.keys.delivery(id), "attempts")).toBe("1");
    refusing = null;
    receiver.setSecret(secret);
    expect(await call("POST", `/v1/webhooks/${id}/replay`)).toMatchObject({ httpStatus: 202, replayed: 1 });
    await expect.poll(() => [...(receiver.taken.get("refused first")?.ids ?? [])]).toEqual([id]);
    expect(receiver.forged()).toBe(before);
  });

  test("one whose receiver is gone is parked, listed, and told when somebody wants it replayed", async () => {
    refusing = 410;
    const { requests } = await send({ ref: "parked" });
    await finish(one(requests), "accepted");
    const parked = async () => (await call<{ deliveries: object[] }>("GET", "/v1/webhooks/parked")).deliveries;
    await expect
      .poll(parked)
      .toMatchObject([{ state: "parked", reason: "answered 410", request: one(requests).request }]);
    const other = await service.makeKey();
    expect(await call("GET", "/v1/webhooks/parked", undefined, other)).toMatchObject({ deliveries: [] });
    refusing = null;
    expect(await call("POST", "/v1/webhooks/parked/replay")).toMatchObject({ httpStatus: 202, replayed: 1 });
    await expect.poll(() => receiver.taken.get("parked")?.times).toBe(1);
    expect(await parked()).toEqual([]);
  });
});

test("nothing of all this was a fault", () => {
  expect(service.logs.filter((line) => line.includes("fault"))).toEqual([]);
  expect(service.staged()).toEqual([]);
});
