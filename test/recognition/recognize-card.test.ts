import { generateKeyPairSync } from "node:crypto";
import { copyFile, mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compactDecrypt } from "jose";
import sharp from "sharp";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Answer, ProviderName, StoredAnswer } from "../../src/domain/answer.js";
import type { Batch } from "../../src/domain/batch.js";
import type { Dispatched, Dispatcher, PageToRead } from "../../src/domain/dispatcher.js";
import { CancelledError, CardbatchError, ImageError, ProviderError } from "../../src/domain/errors.js";
import { Pan } from "../../src/domain/pan.js";
import { type ImageJob, type RequestId, requestId } from "../../src/domain/payload.js";
import { recordSchema } from "../../src/domain/record.js";
import { type AttemptState, FIRST_ATTEMPT } from "../../src/domain/retry-policy.js";
import { countPages } from "../../src/image/inspect-page.js";
import { digestImage, openImage } from "../../src/image/open-image.js";
import { prepareImage } from "../../src/image/prepare-image.js";
import { createRecognizer, type Recognized } from "../../src/recognition/recognize-card.js";
import { sealReference } from "../../src/recognition/resolve-reference.js";
import { createVault } from "../../src/vault/vault.js";
import { judge } from "../../src/verify/judge.js";
import { normalizeAnswer } from "../../src/verify/normalize-answer.js";
import { cardNumber } from "../helpers/card-numbers.js";
import { imageKeyOf } from "../helpers/image-keys.js";
import { drawPng } from "../helpers/png.js";
import { testKeyring } from "../vault/test-keyring.js";

const CARD = cardNumber("622588", 16, 1);
const OTHER_CARD = cardNumber("622588", 16, 2);
const NOW = new Date("2026-11-22T08:00:00.000Z");
const NEVER = { soft: new AbortController().signal, hard: new AbortController().signal };
const BOUNDS = { formats: ["jpeg", "png"], minSide: 15, maxSide: 8192, maxBase64Bytes: 1e7 } as const;
const vault = createVault(testKeyring());
const ASKER_KEYS = generateKeyPairSync("ec", { namedCurve: "P-256" });
const ASKER = ASKER_KEYS.publicKey.export({ format: "jwk" });
const OWN = requestId("b", "archive:a.png", 0, null);

let root: string;
/** A source that was named a moment ago. */
let named: string;
beforeAll(async () => {
  named = await realpath(await mkdtemp(join(tmpdir(), "cardbatch-named-")));
  await writeFile(join(named, "a.png"), drawPng(1));
  root = await realpath(await mkdtemp(join(tmpdir(), "cardbatch-recognize-")));
  await writeFile(join(root, "a.png"), drawPng(1));
  await writeFile(join(root, "small.png"), drawPng(1, 8));
  await writeFile(join(root, "empty.png"), "");
  await writeFile(join(root, "text.png"), "this is no picture");
  await writeFile(join(root, "cut.png"), drawPng(2).subarray(0, 60));
  await copyFile(join(root, "a.png"), join(root, `${CARD}.png`));
  await mkdir(join(root, "folder.png"));
  const page = (grey: number) => ({
    create: { width: 32, height: 32, channels: 3 as const, background: { r: grey, g: grey, b: grey } },
  });
  const pages = await Promise.all([10, 200, 90].map((grey) => sharp(page(grey)).png().toBuffer()));
  await writeFile(
    join(root, "pages.tiff"),
    await sharp(pages, { join: { animated: true } })
      .tiff()
      .toBuffer(),
  );
});
afterAll(async () => {
  for (const folder of [root, named]) await rm(folder, { recursive: true });
});

type Reply = (page: PageToRead) => Promise<Dispatched> | Dispatched;

/** What each provider says, call by call; the last reply stays. */
let replies: Partial<Record<ProviderName, Reply[]>>;
let asked: { provider: ProviderName; page: PageToRead }[];
beforeEach(() => {
  replies = {};
  asked = [];
});

const recognizer = createRecognizer({
  readableRoots: async (fresh) => ({ named: new Map([["archive", root]]), folders: fresh ? [named] : [] }),
  openImage: async (path, root) => {
    const bytes = openImage(path, { root });
    return { bytes, key: digestImage(bytes) };
  },
  countPages,
  prepareImage: (bytes, page, bounds, _request, signal) => prepareImage(bytes, page, bounds, signal),
  dispatcher: (name) => (replies[name] === undefined ? null : dispatcherOf(name)),
  normalize: normalizeAnswer,
  judge,
  vault,
  sealOf: async (destination) => {
    if (destination === "refused") throw new CardbatchError("recipient-refused", "not registered with this keyring");
    return destination === "asker" ? vault.sealFor("asker", vault.recordRecipient("asker", ASKER)) : vault;
  },
  now: () => NOW,
  random: () => 0.5,
});

/** A run of failures that was one of nobody's images. */
const OUTAGE = "huawei:7";

function dispatcherOf(name: ProviderName): Dispatcher {
  const provider = { name, bounds: BOUNDS, cardsPerImage: name === "shiliuai" ? "many" : "one" };
  return {
    provider: provider as unknown as Dispatcher["provider"],
    dispatch: async (page) => {
      asked.push({ provider: name, page });
      const [reply, ...later] = replies[name] ?? [];
      if (later.length > 0) replies[name] = later;
      if (reply === undefined) throw new Error("nobody was to ask");
      return reply(page);
    },
    stoppedBy: () => null,
    isOutage: (streak) => streak === OUTAGE,
  };
}

function batchOf(...providers: ProviderName[]): Batch {
  const thresholds = { huawei: 0.9, shiliuai: 0.9, local: 0.9 };
  return {
    name: "b",
    providers,
    thresholds,
    destination: null,
    sources: [],
    generation: "1",
    refreshSinceMs: 0,
    window: null,
    halt: null,
  };
}

const jobOf = (path: string, more: Partial<ImageJob> = {}, image: object = {}): ImageJob => ({
  schema: 1,
  image: { root: "archive", path, page: 0, ...image },
  batch: "b",
  ...more,
});

function answerOf(provider: ProviderName, digits: string | null, confidence = 0.99): Answer {
  const card = { bankName: null, bankCode: null, type: null, issueDate: null, expiryDate: null, keypoints: {} };
  const number = digits === null ? null : new Pan(digits);
  const cards = digits === null ? [] : [{ ...card, number, confidence: { number: confidence } }];
  return { provider, cards, requestId: `${provider}-1`, latencyMs: 12.4, billable: true };
}

const stored = (stored: StoredAnswer, owner?: RequestId): Reply => {
  return ({ request }) => ({ kind: "answered", stored, owner: owner ?? request });
};
/** A call that goes out and brings an answer. */
const called =
  (answer: Answer): Reply =>
  async (page) => {
    await page.prepare();
    page.onCall();
    const { request } = page;
    return { kind: "answered", stored: { kind: "answer", answer, request, calls: page.calls() }, owner: request };
  };
const reads = (provider: ProviderName, digits: string | null, confidence?: number) => [
  called(answerOf(provider, digits, confidence)),
];
const throws = (error: Error): Reply[] => [
  () => {
    throw error;
  },
];

function recognize(job: ImageJob, batch: Batch, state: AttemptState = FIRST_ATTEMPT): Promise<Recognized> {
  return recognizer.recognize(job, batch, state, NEVER);
}

/** The outcome, which any consumer of the queues must be able to read. */
async function recordOf(job: ImageJob, batch: Batch, state?: AttemptState) {
  const recognized = await recognize(job, batch, state);
  if (recognized.kind !== "outcome") throw new Error(`no outcome but ${recognized.kind}`);
  expect(recordSchema.parse(JSON.parse(JSON.stringify(recognized.record)))).toEqual(recognized.record);
  expect(JSON.stringify(recognized.record)).not.toContain(CARD);
  return recognized.record;
}

test("a page that is read", async () => {
  replies = { huawei: reads("huawei", CARD) };
  expect(await recordOf(jobOf("a.png", { ref: "mine" }), batchOf("huawei"))).toMatchObject({
    request: requestId("b", "archive:a.png", 0, "mine"),
    image: { key: digestImage(drawPng(1)), source: "a.png", page: 0 },
    batch: "b",
    ref: "mine",
    outcome: "accepted",
    reasons: [],
    cards: [{ number: { masked: `${CARD.slice(0, 6)}******${CARD.slice(-4)}`, length: 16, luhn: true } }],
    provider: { name: "huawei", requestId: "huawei-1", latencyMs: 12 },
    calls: 1,
    attempts: 1,
    finishedAt: NOW.toISOString(),
  });
});

test("a file of a source that was named a moment ago is read", async () => {
  replies = { huawei: reads("huawei", CARD) };
  const job: ImageJob = { schema: 1, image: { path: join(named, "a.png"), page: 0 }, batch: "b" };
  expect(await recordOf(job, batchOf("huawei"))).toMatchObject({ outcome: "accepted" });
  const outside: ImageJob = { ...job, image: { path: "/etc/hostname", page: 0 } };
  expect(await recordOf(outside, batchOf("huawei"))).toMatchObject({ code: "image-outside-root" });
});

describe("what cannot be used fails without a call", () => {
  test.each([
    ["missing.png", "image-not-found"],
    ["empty.png", "image-empty"],
    ["text.png", "image-unsupported"],
    ["cut.png", "image-corrupt"],
    ["small.png", "image-too-small"],
    ["folder.png", "image-not-a-file"],
    ["../a.png", "image-outside-root"],
    [`${CARD}/missing.png`, "image-not-found"],
  ])("%s: %s", async (path, code) => {
    replies = { huawei: reads("huawei", CARD) };
    const record = await recordOf(jobOf(path), batchOf("huawei"));
    expect(record).toMatchObject({ outcome: "failed", code, cards: [], provider: null, calls: 0, attempts: 1 });
    expect(record.message).not.toContain(root);
  });

  test("a page that the file does not have", async () => {
    replies = { huawei: reads("huawei", CARD) };
    const job = jobOf("pages.tiff", {}, { page: 7 });
    expect(await recordOf(job, batchOf("huawei"))).toMatchObject({ code: "image-page", image: { page: 7 }, calls: 0 });
  });

  test("a reference that was encrypted with another key", async () => {
    const other = createVault(testKeyring("z"));
    const sealed = (await sealReference({ root: "archive", path: `${CARD}.png` }, "b", other)) ?? "";
    const job: ImageJob = { schema: 1, image: { sealed, page: 0 }, batch: "b" };
    expect(await recordOf(job, batchOf("huawei"))).toMatchObject({ code: "image-reference", image: { source: "" } });
  });

  test("a file that changed; what it is now is read the next time", async () => {
    const job = jobOf("a.png", {}, { key: imageKeyOf("what was listed") });
    const record = await recordOf(job, batchOf("huawei"));
    expect(record).toMatchObject({ outcome: "failed", code: "image-changed", image: { key: null } });
    expect(asked).toEqual([]);
  });
});

test("a name that holds a card number is masked, and is the same request as in the clear", async () => {
  replies = { huawei: reads("huawei", CARD) };
  const reference = { root: "archive", path: `${CARD}.png` };
  const sealed = (await sealReference(reference, "b", vault)) ?? "";
  const record = await recordOf({ schema: 1, image: { sealed, page: 0 }, batch: "b" }, batchOf("huawei"));
  const request = requestId("b", vault.digestName(`archive:${CARD}.png`), 0, null);
  expect(record).toMatchObject({ request, outcome: "accepted" });
  const binding = { request, field: "image.source" } as const;
  expect(await vault.openText(record.image.sourceJwe ?? "", binding)).toBe(`${CARD}.png`);
});

test("what goes to a destination with a public key only its asker opens: the number, and the name that holds one", async () => {
  replies = { huawei: reads("huawei", CARD) };
  const record = await recordOf(jobOf(`${CARD}.png`, { destination: "asker" }), batchOf("huawei"));
  const { number } = record.cards[0] ?? {};
  expect(number).toMatchObject({ masked: `${CARD.slice(0, 6)}******${CARD.slice(-4)}`, fingerprint: null });
  for (const [jwe, text] of [
    [number?.jwe, CARD],
    [record.image.sourceJwe, `${CARD}.png`],
  ]) {
    const opened = await compactDecrypt(jwe ?? "", ASKER_KEYS.privateKey);
    expect(Buffer.from(opened.plaintext).toString()).toBe(text);
    expect(opened.protectedHeader).toMatchObject({ rid: record.request });
  }
  const batchs = await recordOf(jobOf("a.png"), { ...batchOf("huawei"), destination: "asker" });
  expect(batchs.cards[0]?.number).toMatchObject({ fingerprint: null });
});

test("a destination whose public key cannot be trusted waits, and nothing is called for it", async () => {
  replies = { huawei: reads("huawei", CARD) };
  const recognized = await recognize(jobOf("a.png", { destination: "refused" }), batchOf("huawei"));
  expect(recognized).toMatchObject({ kind: "again", error: { code: "recipient-refused" }, state: { attempts: 1 } });
  expect(asked).toEqual([]);
});

describe("an image whose job names no page", () => {
  test("becomes a request a page", async () => {
    const job: ImageJob = { schema: 1, image: { root: "archive", path: "pages.tiff" }, batch: "b", ref: "mine" };
    const result = await recognize(job, batchOf("huawei"));
    if (result.kind !== "pages") throw new Error(result.kind);
    expect(result.pages.map(({ page, request }) => [page, request])).toEqual(
      [0, 1, 2].map((page) => [page, requestId("b", "archive:pages.tiff", page, "mine")]),
    );
    const [first] = result.pages;
    expect(first?.job).toEqual({ ...job, image: { ...job.image, page: 0, key: first?.imageKey } });
  });

  test("is one request where it has one page", async () => {
    replies = { huawei: reads("huawei", CARD) };
    const job: ImageJob = { schema: 1, image: { root: "archive", path: "a.png" }, batch: "b" };
    expect(await recordOf(job, batchOf("huawei"))).toMatchObject({ request: OWN, outcome: "accepted" });
  });
});

describe("an answer from the ledger", () => {
  const answer = answerOf("huawei", CARD);

  test("of this very request counts the calls it took", async () => {
    replies = { huawei: [stored({ kind: "answer", answer, request: OWN, calls: 3 })] };
    expect(await recordOf(jobOf("a.png"), batchOf("huawei"))).toMatchObject({ outcome: "accepted", calls: 3 });
  });

  test("of an earlier batch costs nothing", async () => {
    replies = { huawei: [stored({ kind: "answer", answer, request: "r_of-an-earlier-batch", calls: 3 })] };
    expect(await recordOf(jobOf("a.png"), batchOf("huawei"))).toMatchObject({ outcome: "accepted", calls: 0 });
  });

  test("of another request of the batch makes a duplicate, with the same cards", async () => {
    replies = { huawei: [stored({ kind: "answer", answer, request: "r_first", calls: 1 }, "r_first")] };
    const record = await recordOf(jobOf("a.png"), batchOf("huawei"));
    expect(record).toMatchObject({ outcome: "duplicate", duplicateOf: "r_first", calls: 0 });
    expect(record.cards[0]?.number?.fingerprint).toBe(vault.fingerprint(new Pan(CARD)));
  });

  test("that says no is the end, unless somebody else can read it", async () => {
    const refusal: StoredAnswer = {
      kind: "refusal",
      code: "provider-refused-image",
      message: "the vendor said no",
      vendorCode: "AIS.0103",
      requestId: "h-9",
      billable: false,
      latencyMs: 5,
      request: OWN,
      calls: 1,
    };
    replies = { huawei: [stored(refusal)], shiliuai: reads("shiliuai", CARD) };
    expect(await recordOf(jobOf("a.png"), batchOf("huawei"))).toMatchObject({
      outcome: "failed",
      code: "provider-refused-image",
      message: expect.stringMatching(/^the vendor said no: /),
      provider: { name: "huawei", requestId: "h-9" },
      calls: 1,
    });
    expect(await recordOf(jobOf("a.png"), batchOf("huawei", "shiliuai"))).toMatchObject({
      outcome: "accepted",
      provider: { name: "shiliuai" },
      calls: 2,
    });
  });

  test("is nobody's business once the request is settled", async () => {
    replies = { huawei: [() => ({ kind: "settled" })] };
    expect(await recognize(jobOf("a.png"), batchOf("huawei"))).toEqual({ kind: "settled" });
  });
});

describe("a second provider", () => {
  const askedProviders = () => asked.map(({ provider }) => provider);

  test.each([
    ["is not asked about what was accepted", CARD, 0.99, "accepted", ["huawei"]],
    ["is not asked about what was rejected", null, 0, "rejected", ["huawei"]],
    ["is asked for review", CARD, 0.5, "accepted", ["huawei", "shiliuai"]],
  ] as const)("%s", async (_, digits, confidence, outcome, providers) => {
    replies = { huawei: reads("huawei", digits, confidence), shiliuai: reads("shiliuai", CARD) };
    const record = await recordOf(jobOf("a.png"), batchOf("huawei", "shiliuai"));
    expect(record).toMatchObject({ outcome, provider: { name: "huawei" }, calls: providers.length });
    expect(askedProviders()).toEqual(providers);
  });

  test("that disagrees sends both readings to a person", async () => {
    replies = { huawei: reads("huawei", CARD, 0.5), shiliuai: reads("shiliuai", OTHER_CARD) };
    const { outcome, reasons, cards } = await recordOf(jobOf("a.png"), batchOf("huawei", "shiliuai"));
    expect({ outcome, reasons }).toEqual({ outcome: "review", reasons: ["confidence-low", "providers-disagree"] });
    const prints = [CARD, OTHER_CARD].map((digits) => vault.fingerprint(new Pan(digits)));
    expect(cards.map(({ number }) => number?.fingerprint)).toEqual(prints);
  });

  test("is asked in place of a stopped first one", async () => {
    replies = {
      huawei: throws(new ProviderError("provider-quota", "used up")),
      shiliuai: reads("shiliuai", CARD),
    };
    const record = await recordOf(jobOf("a.png"), batchOf("huawei", "shiliuai"));
    expect(record).toMatchObject({ outcome: "accepted", provider: { name: "shiliuai" }, calls: 1 });
  });

  test.each([
    ["is stopped", FIRST_ATTEMPT, new ProviderError("provider-quota", "used up")],
    ["cannot be had any more", { attempts: 12, calls: 1, met: {} }, new ProviderError("provider-unavailable", "503")],
    [
      "has timed out for the third time",
      { attempts: 4, calls: 3, met: { "provider-timeout": 2 } },
      new ProviderError("provider-timeout", "no answer", { uncertain: true }),
    ],
    ["cannot take the picture", FIRST_ATTEMPT, new ImageError("image-too-small", "too small for it")],
  ])("that %s leaves the first reading as it is", async (_, state, error) => {
    replies = { huawei: reads("huawei", CARD, 0.5), shiliuai: throws(error) };
    const record = await recordOf(jobOf("a.png"), batchOf("huawei", "shiliuai"), state);
    expect(record).toMatchObject({ outcome: "review", reasons: ["confidence-low"], provider: { name: "huawei" } });
  });

  test("that is only busy is waited for", async () => {
    const busy = new ProviderError("provider-throttled", "429", { retryAfterMs: 3000 });
    replies = { huawei: reads("huawei", CARD, 0.5), shiliuai: throws(busy) };
    expect(await recognize(jobOf("a.png"), batchOf("huawei", "shiliuai"))).toMatchObject({
      kind: "again",
      error: busy,
      delayMs: 3250,
      state: { attempts: 1, calls: 1, met: {} },
    });
  });

  test("has its answer although the first one's outcome could stand", async () => {
    replies = { huawei: reads("huawei", CARD, 0.5), shiliuai: reads("shiliuai", CARD) };
    await recognize(jobOf("a.png"), batchOf("huawei", "shiliuai"));
    expect(asked.map(({ page }) => page.outcomeMayStand)).toEqual([true, false]);
  });
});

describe("what comes back", () => {
  const unavailable = new ProviderError("provider-unavailable", "503", { requestId: "h-503", httpStatus: 503 });

  test("keeps its attempts, its calls and the faults it met", async () => {
    replies = { huawei: [goesOut(unavailable)] };
    const first = await recognize(jobOf("a.png"), batchOf("huawei"));
    expect(first).toMatchObject({
      kind: "again",
      state: { attempts: 2, calls: 1, met: { "provider-unavailable": 1 } },
    });
    if (first.kind !== "again") throw new Error(first.kind);
    expect(await recognize(jobOf("a.png"), batchOf("huawei"), first.state)).toMatchObject({
      kind: "again",
      delayMs: 400,
      state: { attempts: 3, calls: 2, met: { "provider-unavailable": 2 } },
    });
    replies = { huawei: reads("huawei", CARD) };
    const state = { attempts: 3, calls: 2, met: {} };
    expect(await recordOf(jobOf("a.png"), batchOf("huawei"), state)).toMatchObject({ calls: 3, attempts: 3 });
  });

  const fault =
    (streak: string): Reply =>
    (page) => {
      page.onFault(streak);
      return goesOut(unavailable)(page);
    };

  test("pays no attempt for an outage, not even for what was charged before it was known", async () => {
    const state = { attempts: 11, calls: 10, met: {}, charged: { streak: OUTAGE, attempts: 9 } };
    replies = { huawei: [fault(OUTAGE)] };
    const next = await recognize(jobOf("a.png"), batchOf("huawei"), state);
    expect(next).toMatchObject({ kind: "again", state: { attempts: 2, calls: 11, spared: 10 } });
    replies = { huawei: reads("huawei", CARD) };
    expect(await recordOf(jobOf("a.png"), batchOf("huawei"), state)).toMatchObject({ attempts: 2, calls: 11 });
  });

  test("pays for failures of its own among others' successes", async () => {
    replies = { huawei: [fault("huawei:8")] };
    const next = await recognize(jobOf("a.png"), batchOf("huawei"));
    expect(next).toMatchObject({ kind: "again", state: { attempts: 2, charged: { streak: "huawei:8", attempts: 1 } } });
  });

  test("fails for good after the twelfth attempt, and says whom to ask", async () => {
    replies = { huawei: [goesOut(unavailable)] };
    const state = { attempts: 12, calls: 11, met: { "provider-unavailable": 11 } };
    expect(await recordOf(jobOf("a.png"), batchOf("huawei"), state)).toMatchObject({
      outcome: "failed",
      code: "provider-unavailable",
      message: expect.stringContaining("503 (after 12 attempts): "),
      provider: { name: "huawei", requestId: "h-503", latencyMs: null },
      calls: 12,
      attempts: 12,
    });
  });

  test.each([
    ["a page that somebody else is reading", new CardbatchError("image-in-work", "busy"), "image-in-work", 300],
    ["a provider that is stopped", new ProviderError("provider-credentials", "401"), "provider-credentials", 5000],
    ["a process that is asked to stop", new CancelledError(), "cancelled", 750],
  ])("%s costs no attempt", async (_, error, code, delayMs) => {
    replies = { huawei: throws(error) };
    const expected = { kind: "again", error: { code }, delayMs, state: FIRST_ATTEMPT };
    expect(await recognize(jobOf("a.png"), batchOf("huawei"))).toMatchObject(expected);
  });

  test.each([
    ["without settings for its provider", batchOf("local")],
    ["that names no provider", batchOf()],
  ])("a batch %s waits for a worker that has them", async (_, batch) => {
    expect(await recognize(jobOf("a.png"), batch)).toMatchObject({
      kind: "again",
      error: { code: "provider-unconfigured" },
    });
  });

  test("a fault of ours is retried, and its text stays inside", async () => {
    replies = { huawei: throws(new Error(`the number is ${CARD}`)) };
    const again = await recognize(jobOf("a.png"), batchOf("huawei"));
    expect(again).toMatchObject({ kind: "again", error: { code: "internal", message: "unexpected Error" } });
    const state = { attempts: 12, calls: 0, met: {} };
    expect(await recordOf(jobOf("a.png"), batchOf("huawei"), state)).toMatchObject({ code: "internal" });
  });
});

/** A call that goes out and fails. */
function goesOut(error: Error): Reply {
  return (page) => {
    page.onCall();
    throw error;
  };
}
