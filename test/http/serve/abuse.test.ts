import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { revokeApiKey } from "../../../src/app/api-keys.js";
import { cardNumber } from "../../helpers/card-numbers.js";
import { drawPng } from "../../helpers/png.js";
import { imageForm, startService, type TestService } from "./service.js";

/** What a caller may do wrong, or try on purpose: each has its documented answer and leaves nothing behind. */

const PNG = drawPng(1);
const MAX_IMAGE = 64 * 1024;

let service: TestService;
/** API keys by what they may do. */
const keys: Record<string, string> = {};
/** What another key has. */
const theirs = { request: "", batch: "theirs", webhook: "msg_AAAAAAAAAAAAAAAAAAAAAAAA" };

beforeAll(async () => {
  service = await startService({ maxImageBytes: MAX_IMAGE });
  const make = async (name: string, ...scopes: ("enqueue" | "read" | "reveal" | "admin")[]) => {
    const made = await service.makeKey({ name, scopes });
    keys[name] = made.key;
    return made.id;
  };
  await make("both", "enqueue", "read", "reveal");
  await make("enqueue", "enqueue");
  await make("read", "read");
  await make("other", "enqueue", "read");
  await revokeApiKey(service.apiKeys, await make("revoked", "enqueue", "read"));
  await service.app.batches.open({
    name: "of-the-command-line",
    providers: ["local"],
    destination: null,
    sources: [],
    thresholds: { huawei: 0.9, shiliuai: 0.9, local: 0.9 },
    refresh: false,
  });

  writeFileSync(join(service.folder, "outside.png"), PNG);
  writeFileSync(join(service.archive, "text.txt"), "no picture at all, but long enough to be looked at");
  writeFileSync(join(service.archive, "empty.png"), "");
  writeFileSync(join(service.archive, "good.png"), PNG);
  mkdirSync(join(service.archive, "folder"));
  symlinkSync(join(service.folder, "outside.png"), join(service.archive, "link.png"));
  execFileSync("mkfifo", [join(service.archive, "pipe.png")]);

  const sent = await post("/v1/images", { image: { root: "archive", path: "good.png" }, batch: theirs.batch }, "other");
  expect(sent.status).toBe(202);
  theirs.request = ((await sent.json()) as { requests: { request: string }[] }).requests[0]?.request ?? "";
});

interface Sent {
  readonly method?: string;
  readonly path?: string;
  readonly key?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer | FormData;
}

/** By default, a good image with a good key: a case says only what is wrong. */
function send({ method = "POST", path = "/v1/images", key = "both", headers = {}, body }: Sent): Promise<Response> {
  const sent = body ?? (method === "GET" || method === "DELETE" ? null : imageForm(PNG));
  const authorization = key === null ? {} : { authorization: `Bearer ${keys[key] ?? key}` };
  return fetch(service.url + path, {
    method,
    headers: { ...authorization, ...headers },
    body: sent instanceof Buffer ? new Uint8Array(sent) : sent,
  });
}

function post(path: string, value: unknown, key = "both", headers: Readonly<Record<string, string>> = {}) {
  const body = JSON.stringify(value);
  return send({ path, key, headers: { "content-type": "application/json", ...headers }, body });
}

const image = (more: object) => () => post("/v1/images", { image: { root: "archive", path: "good.png" }, ...more });
const bytes = (data: string | Buffer) => () =>
  post("/v1/images", { image: { data: Buffer.from(data).toString("base64") } });
const place = (root: string, path: string) => () => post("/v1/images", { image: { root, path } });
const form = (fields: Readonly<Record<string, string>>) => () => send({ body: imageForm(PNG, fields) });
const parts =
  (...lines: string[]) =>
  () =>
    send({
      headers: { "content-type": "multipart/form-data; boundary=b" },
      body: Buffer.from(lines.join("\r\n"), "latin1"),
    });
const file = (name: string, content: string) =>
  `--b\r\nContent-Disposition: form-data; name="${name}"; filename="a.png"\r\n\r\n${content}`;
const field = (name: string, value: string) => `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}`;
const text = PNG.toString("latin1");
const theirsAt =
  (path: string, method = "GET") =>
  () =>
    method === "GET"
      ? send({ method, path: path.replace("{r}", theirs.request) })
      : post(path.replace("{r}", theirs.request), path.endsWith("reveal") ? { reason: "why not" } : {});

type Case = readonly [name: string, status: number, code: string, send: () => Promise<Response>];

const AUTHENTICATION: readonly Case[] = [
  ["no key", 401, "unauthorized", () => send({ key: null })],
  ["an empty key", 401, "unauthorized", () => send({ key: "" })],
  ["Basic", 401, "unauthorized", () => send({ key: null, headers: { authorization: "Basic dXNlcjpwYXNz" } })],
  ["no scheme", 401, "unauthorized", () => send({ key: null, headers: { authorization: keys.both ?? "" } })],
  ["words", 401, "unauthorized", () => send({ key: "let me in" })],
  ["another secret", 401, "unauthorized", () => send({ key: (keys.both ?? "").replace(/.{10}$/, "AAAAAAAAAA") })],
  ["a secret cut short", 401, "unauthorized", () => send({ key: (keys.both ?? "").slice(0, -1) })],
  ["no secret", 401, "unauthorized", () => send({ key: (keys.both ?? "").split(".")[0] ?? "" })],
  ["an unknown id", 401, "unauthorized", () => send({ key: `cbk_aaaaaaaa.${"A".repeat(43)}` })],
  ["an id out of its letters", 401, "unauthorized", () => send({ key: `cbk_../../aa.${"A".repeat(43)}` })],
  ["another key's secret", 401, "unauthorized", () => send({ key: mixed() })],
  ["a revoked key", 401, "unauthorized", () => send({ key: "revoked" })],
  ["the key in the address", 401, "unauthorized", () => send({ key: null, path: `/v1/images?key=${keys.both}` })],
  ["no key to look", 401, "unauthorized", () => send({ method: "GET", path: "/v1/webhooks/parked", key: null })],
  ["no key for a body that is too large", 401, "unauthorized", () => send({ key: null, body: big(8 * MAX_IMAGE) })],
];

const SCOPES: readonly Case[] = [
  ["reading with enqueue", 403, "forbidden", () => send({ method: "GET", path: "/v1/batches/x", key: "enqueue" })],
  [
    "looking at webhooks with enqueue",
    403,
    "forbidden",
    () => send({ method: "GET", path: "/v1/webhooks/parked", key: "enqueue" }),
  ],
  ["sending with read", 403, "forbidden", () => send({ key: "read" })],
  ["a batch with read", 403, "forbidden", () => post("/v1/batches", {}, "read")],
  ["cancelling with read", 403, "forbidden", () => post("/v1/batches/theirs/cancel", {}, "read")],
  ["replaying with read", 403, "forbidden", () => post("/v1/webhooks/parked/replay", {}, "read")],
  [
    "revealing without reveal",
    403,
    "forbidden",
    () => post(`/v1/requests/${theirs.request}/reveal`, { reason: "x" }, "other"),
  ],
];

const OTHERS: readonly Case[] = [
  ["another's request", 404, "not-found", theirsAt("/v1/requests/{r}")],
  ["another's number", 404, "not-found", theirsAt("/v1/requests/{r}/reveal", "POST")],
  ["another's batch", 404, "not-found", theirsAt("/v1/batches/theirs")],
  ["another's outcomes", 404, "not-found", theirsAt("/v1/batches/theirs/outcomes")],
  ["pausing another's batch", 404, "not-found", theirsAt("/v1/batches/theirs/pause", "POST")],
  ["retrying another's batch", 404, "not-found", theirsAt("/v1/batches/theirs/retry", "POST")],
  ["another's webhook", 404, "not-found", () => post(`/v1/webhooks/${theirs.webhook}/replay`, {})],
  ["an image for another's batch", 409, "conflict", image({ batch: "theirs" })],
  [
    "images for another's batch",
    409,
    "conflict",
    () => post("/v1/batches", { batch: "theirs", source: { root: "archive" } }),
  ],
  ["an image for a batch of the command line", 409, "conflict", image({ batch: "of-the-command-line" })],
  ["a batch of the command line", 404, "not-found", theirsAt("/v1/batches/of-the-command-line")],
];

const ADDRESSES: readonly Case[] = [
  ["PUT", 405, "method-not-allowed", () => send({ method: "PUT" })],
  ["DELETE", 405, "method-not-allowed", () => send({ method: "DELETE" })],
  ["GET where images are sent", 405, "method-not-allowed", () => send({ method: "GET" })],
  ["POST to the metrics", 405, "method-not-allowed", () => send({ path: "/metrics" })],
  ["nowhere", 404, "not-found", () => send({ method: "GET", path: "/v1/nowhere" })],
  ["the way out", 404, "not-found", () => send({ method: "GET", path: "/v1/..%2f..%2fetc%2fpasswd" })],
  ["a broken escape", 400, "bad-request", () => send({ method: "GET", path: "/v1/requests/%zz" })],
  ["a request that is none", 422, "invalid", () => send({ method: "GET", path: "/v1/requests/r_short" })],
  ["a zero byte", 422, "invalid", () => send({ method: "GET", path: "/v1/requests/r_%00aaaaaaaaaaaaaaa" })],
  ["an unknown request", 404, "not-found", () => send({ method: "GET", path: "/v1/requests/r_AAAAAAAAAAAAAAAA" })],
  ["a batch's name out of its letters", 422, "invalid", () => send({ method: "GET", path: "/v1/batches/a:b" })],
  [
    "a batch's name without end",
    404,
    "not-found",
    () => send({ method: "GET", path: `/v1/batches/${"a".repeat(500)}` }),
  ],
  ["a cursor that is none", 422, "invalid", () => send({ method: "GET", path: "/v1/batches/b/outcomes?cursor=x" })],
  ["a limit without end", 422, "invalid", () => send({ method: "GET", path: "/v1/batches/b/outcomes?limit=100000" })],
  ["an unknown query", 422, "invalid", () => send({ path: "/v1/images?waiting=1s" })],
  ["a wait that is none", 422, "invalid", () => send({ path: "/v1/images?wait=long" })],
  ["a wait without end", 422, "invalid", () => send({ path: "/v1/images?wait=61s" })],
  ["two waits", 422, "invalid", () => send({ path: "/v1/images?wait=1s&wait=2s" })],
];

const JSON_TYPE = { "content-type": "application/json" };
const BODIES: readonly Case[] = [
  ["no body", 400, "bad-request", () => send({ headers: JSON_TYPE, body: "" })],
  ["no JSON", 400, "bad-request", () => send({ headers: JSON_TYPE, body: "{image" })],
  ["JSON with a prototype", 400, "bad-request", () => send({ headers: JSON_TYPE, body: '{"__proto__":{"x":1}}' })],
  ["null", 400, "bad-request", () => send({ headers: JSON_TYPE, body: "null" })],
  ["an array", 422, "invalid", () => post("/v1/images", [])],
  ["text", 422, "invalid", () => post("/v1/images", "image")],
  ["nothing in it", 422, "invalid", () => post("/v1/images", {})],
  ["an unknown field", 422, "invalid", image({ colour: "red" })],
  ["an image by URL", 422, "invalid", () => post("/v1/images", { image: { url: "http://127.0.0.1/a.png" } })],
  ["an image twice", 422, "invalid", () => post("/v1/images", { image: { data: "AAAA", root: "archive", path: "a" } })],
  [
    "packed JSON",
    400,
    "bad-request",
    () => send({ headers: { ...JSON_TYPE, "content-encoding": "gzip" }, body: Buffer.from([31, 139, 8, 0]) }),
  ],
  ["plain text", 415, "unsupported-media-type", () => send({ headers: { "content-type": "text/plain" }, body: "x" })],
  ["XML", 415, "unsupported-media-type", () => send({ headers: { "content-type": "application/xml" }, body: "<x/>" })],
  [
    "a form of the other kind",
    415,
    "unsupported-media-type",
    () => send({ headers: { "content-type": "application/x-www-form-urlencoded" }, body: "a=b" }),
  ],
  [
    "JSON that is too large",
    413,
    "too-large",
    () => post("/v1/images", { image: { data: "A".repeat(4 * MAX_IMAGE) } }),
  ],
  [
    "JSON nested without end",
    422,
    "invalid",
    () => send({ headers: JSON_TYPE, body: `{"image":${"[".repeat(20_000)}${"]".repeat(20_000)}}` }),
  ],
  ["base64 that is none", 422, "invalid", () => post("/v1/images", { image: { data: "!!!!" } })],
  ["base64 of URLs", 422, "invalid", () => post("/v1/images", { image: { data: "_-_-" } })],
  ["no bytes", 422, "invalid", () => post("/v1/images", { image: { data: "" } })],
  ["a text for an image", 415, "image-unsupported", bytes("this is only a text, whatever it is called")],
  ["a PDF", 415, "image-unsupported", bytes(`%PDF-1.7\n${" ".repeat(100)}`)],
  ["an SVG", 415, "image-unsupported", bytes(`<svg xmlns="http://www.w3.org/2000/svg">${" ".repeat(100)}</svg>`)],
  ["a GIF", 415, "image-unsupported", bytes(`GIF89a${"\0".repeat(100)}`)],
  ["an archive", 415, "image-unsupported", bytes(`PK\x03\x04${"\0".repeat(100)}`)],
  ["one byte", 415, "image-unsupported", bytes("x")],
  ["bytes over the limit", 422, "image-refused", bytes(Buffer.concat([PNG, Buffer.alloc(MAX_IMAGE)]))],
];

const FORMS: readonly Case[] = [
  ["no boundary", 400, "bad-request", () => send({ headers: { "content-type": "multipart/form-data" }, body: "x" })],
  ["no part", 422, "invalid", parts("--b--", "")],
  ["no image", 422, "invalid", parts(field("ref", "a"), "--b--", "")],
  ["an image of another name", 422, "invalid", parts(file("picture", text), "--b--", "")],
  ["two images", 422, "invalid", parts(file("image", text), file("image", text), "--b--", "")],
  ["the image as a field", 422, "invalid", parts(field("image", "text"), "--b--", "")],
  ["a field twice", 422, "invalid", parts(field("ref", "a"), field("ref", "b"), file("image", text), "--b--", "")],
  ["a field called constructor", 422, "invalid", parts(field("constructor", "a"), file("image", text), "--b--", "")],
  ["a field called __proto__", 422, "invalid", parts(field("__proto__", "a"), file("image", text), "--b--", "")],
  ["an unknown field after the image", 422, "invalid", parts(file("image", text), field("colour", "red"), "--b--", "")],
  [
    "fields without end",
    422,
    "invalid",
    parts(...Array.from({ length: 30 }, (_, i) => field(`f${i}`, "")), "--b--", ""),
  ],
  ["a field without end", 413, "too-large", parts(field("ref", "x".repeat(20_000)), file("image", text), "--b--", "")],
  ["cut short in the image", 400, "bad-request", parts(file("image", text))],
  ["cut short in a field", 400, "bad-request", parts(file("image", text), field("ref", "a"))],
  ["an image without bytes", 422, "image-refused", parts(file("image", ""), "--b--", "")],
  [
    "an image over the limit",
    422,
    "image-refused",
    () => send({ body: imageForm(Buffer.concat([PNG, Buffer.alloc(MAX_IMAGE)])) }),
  ],
  ["a text for an image", 415, "image-unsupported", () => send({ body: imageForm(Buffer.from("x".repeat(1000))) })],
  ["a page before the first", 422, "invalid", form({ page: "-1" })],
  ["half a page", 422, "invalid", form({ page: "0.5" })],
  ["a page without end", 422, "invalid", form({ page: "1e9" })],
  ["a ref without end", 422, "invalid", form({ ref: "x".repeat(129) })],
  ["a card number for a ref", 422, "invalid", form({ ref: cardNumber() })],
  ["a card number for a batch", 422, "invalid", form({ batch: cardNumber() })],
  ["a batch out of its letters", 422, "invalid", form({ batch: "a/b" })],
  ["an unknown priority", 422, "invalid", form({ priority: "now" })],
  ["an unknown provider", 422, "invalid", form({ provider: "local,acme" })],
];

const PLACES: readonly Case[] = [
  ["up", 422, "image-refused", place("archive", "../outside.png")],
  ["far up", 422, "image-refused", place("archive", "../../../../../../etc/passwd")],
  ["down and up", 422, "image-refused", place("archive", "folder/../../outside.png")],
  ["from the top", 422, "image-refused", place("archive", "/etc/passwd")],
  ["a zero byte", 422, "image-refused", place("archive", "good.png\0.txt")],
  ["an escape, which is none here", 422, "image-refused", place("archive", "..%2foutside.png")],
  ["a link out", 422, "image-refused", place("archive", "link.png")],
  ["a pipe", 422, "image-refused", place("archive", "pipe.png")],
  ["a folder", 422, "image-refused", place("archive", "folder")],
  ["no file", 422, "image-refused", place("archive", "missing.png")],
  ["an empty file", 422, "image-refused", place("archive", "empty.png")],
  ["a text", 422, "image-refused", place("archive", "text.txt")],
  ["a path without end", 422, "invalid", place("archive", "a/".repeat(3000))],
  ["an unknown root", 422, "image-refused", place("elsewhere", "good.png")],
  ["the staged images", 422, "invalid", place("staged", "good.png")],
  ["a root out of its letters", 422, "invalid", place("../archive", "good.png")],
  [
    "a batch of a folder above",
    422,
    "invalid",
    () => post("/v1/batches", { batch: "b1", source: { root: "archive", path: ".." } }),
  ],
  [
    "a batch of a file",
    422,
    "invalid",
    () => post("/v1/batches", { batch: "b1", source: { root: "archive", path: "good.png" } }),
  ],
  ["a batch of nothing", 422, "invalid", () => post("/v1/batches", { batch: "b1", images: [] })],
  [
    "a batch of two kinds",
    422,
    "invalid",
    () =>
      post("/v1/batches", {
        batch: "b1",
        source: { root: "archive" },
        images: [{ root: "archive", path: "good.png" }],
      }),
  ],
  [
    "a batch of images above",
    422,
    "invalid",
    () => post("/v1/batches", { batch: "b1", images: [{ root: "archive", path: "../outside.png" }] }),
  ],
  [
    "a batch of too many images",
    422,
    "invalid",
    () => post("/v1/batches", { batch: "b1", images: Array(10_001).fill({ root: "archive", path: "good.png" }) }),
  ],
  ["a batch without a name", 422, "invalid", () => post("/v1/batches", { source: { root: "archive" } })],
];

const IDEMPOTENCY: readonly Case[] = [
  ["a key without end", 400, "bad-request", () => send({ headers: { "idempotency-key": "x".repeat(256) } })],
  ["a key with a blank", 400, "bad-request", () => send({ headers: { "idempotency-key": "a b" } })],
  ["an empty key", 400, "bad-request", () => send({ headers: { "idempotency-key": "" } })],
  ["a key used for another image", 409, "idempotency-conflict", () => again(() => imageForm(drawPng(2)))],
  ["a key used for another ref", 409, "idempotency-conflict", () => again(() => imageForm(PNG, { ref: "b" }))],
  [
    "a key used for another form of it",
    409,
    "idempotency-conflict",
    () => again(() => JSON.stringify({ image: { root: "archive", path: "good.png" } })),
  ],
];

/** Each leads to an address that is not public. */
const TARGETS = [
  "https://127.0.0.1/",
  "https://127.0.0.1./",
  "https://127.1/",
  "https://127.0.1/",
  "https://2130706433/",
  "https://0x7f000001/",
  "https://0x7f.0.0.1/",
  "https://0177.0.0.1/",
  "https://017700000001/",
  "https://0/",
  "https://0.0.0.0/",
  "https://①②⑦.⓪.⓪.①/",
  "https://127。0。0。1/",
  "https://%31%32%37.0.0.1/",
  "https://[::1]/",
  "https://[0:0:0:0:0:0:0:1]/",
  "https://[::]/",
  "https://[::ffff:127.0.0.1]/",
  "https://[::ffff:7f00:1]/",
  "https://[::127.0.0.1]/",
  "https://[64:ff9b::127.0.0.1]/",
  "https://[2002:7f00:1::]/",
  "https://[fe80::1]/",
  "https://[fd00::1]/",
  "https://10.0.0.1/",
  "https://172.16.0.1/",
  "https://192.168.1.1/",
  "https://100.64.0.1/",
  "https://169.254.169.254/latest/meta-data/",
  "https://168.63.129.16/",
  "https://198.18.0.1/",
  "https://224.0.0.1/",
  "https://255.255.255.255/",
  "http://example.com/",
  "http://8.8.8.8/",
  "ftp://example.com/",
  "file:///etc/passwd",
  "javascript:alert(1)",
  "https://user:password@example.com/",
  "https://example.com/#part",
  "https://",
  "example.com/hook",
  `https://example.com/${"a".repeat(2040)}`,
] as const;

const WEBHOOKS: readonly Case[] = TARGETS.map((url) => [
  `a webhook to ${url.slice(0, 60)}`,
  422,
  "webhook-refused",
  image({ webhook: url }),
]);

const REVEALING: readonly Case[] = [
  ["without a reason", 422, "invalid", () => post(`/v1/requests/${theirs.request}/reveal`, {})],
  ["with an empty reason", 422, "invalid", () => post(`/v1/requests/${theirs.request}/reveal`, { reason: "  " })],
  [
    "with a reason without end",
    422,
    "invalid",
    () => post(`/v1/requests/${theirs.request}/reveal`, { reason: "x".repeat(501) }),
  ],
];

describe.each([
  ["authentication", AUTHENTICATION],
  ["scopes", SCOPES],
  ["what is another's", OTHERS],
  ["addresses", ADDRESSES],
  ["bodies", BODIES],
  ["forms", FORMS],
  ["places", PLACES],
  ["idempotency", IDEMPOTENCY],
  ["webhooks", WEBHOOKS],
  ["revealing", REVEALING],
])("%s", (_group, cases) => {
  test.each(cases)("%s: %d %s", async (_name, status, code, act) => {
    const response = await act();
    const body = await response.text();
    expect({ status: response.status, body }).toMatchObject({
      status,
      body: expect.stringContaining(`"code":"${code}"`),
    });
    expect(response.headers.get("content-type")).toBe("application/problem+json; charset=utf-8");
    expect(JSON.parse(body)).toMatchObject({ type: "about:blank", status, title: expect.any(String) });
    expect(body).not.toMatch(/node_modules|\.js:\d|\bat \S+ \(|\/tmp\/|passwd/);
    expect(newlyStaged()).toEqual([]);
  });
});

function mixed(): string {
  const [id] = (keys.both ?? "").split(".");
  const [, secret] = (keys.other ?? "").split(".");
  return `${id}.${secret}`;
}

function big(size: number): Buffer {
  return Buffer.alloc(size, "x");
}

/** Staged images of requests that were taken. */
const kept = new Set<string>();

function newlyStaged(): string[] {
  return service.staged().filter((name) => !kept.has(name));
}

let attempts = 0;

/** The same Idempotency-Key for another request. */
async function again(other: () => FormData | string): Promise<Response> {
  const headers = { "idempotency-key": `attempt-${attempts++}` };
  const name = `again-${attempts}`;
  const first = await send({ headers, body: imageForm(PNG, { batch: name }) });
  expect(first.status).toBe(202);
  const { requests } = (await first.json()) as { requests: { request: string }[] };
  for (const name of service.staged()) kept.add(name);
  const same = await send({ headers, body: imageForm(PNG, { batch: name }) });
  expect(same.status).toBe(202);
  expect(((await same.json()) as { requests: { request: string }[] }).requests.map((its) => its.request)).toEqual(
    requests.map((its) => its.request),
  );
  expect(newlyStaged()).toEqual([]);
  const body = other();
  return send({ headers: typeof body === "string" ? { ...headers, ...JSON_TYPE } : headers, body });
}
test("none of it is a fault of the server", () => {
  expect(service.logs.filter((line) => line.includes("fault"))).toEqual([]);
});
