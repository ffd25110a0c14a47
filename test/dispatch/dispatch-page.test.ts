import { setMaxListeners } from "node:events";
import { describe, expect, test, vi } from "vitest";
import { createDispatcher } from "../../src/dispatch/dispatch-page.js";
import type { Answer } from "../../src/domain/answer.js";
import { CancelledError, type ErrorCode, ImageError, ProviderError } from "../../src/domain/errors.js";
import type { CardbatchEvent } from "../../src/domain/events.js";
import type { Departure } from "../../src/domain/ledger.js";
import { answer, createParts, type Parts, type PartsOptions, pageOf, plainSeal } from "./parts.js";

const NEVER = { soft: new AbortController().signal, hard: new AbortController().signal };
setMaxListeners(0, NEVER.soft);

function open(options: PartsOptions, { withPace = true, concurrency = 100 } = {}) {
  const parts = createParts(options);
  const events: CardbatchEvent[] = [];
  const lane = { provider: parts.provider, pace: withPace ? parts.pace : null, timeoutMs: 1000, concurrency };
  const deps = { ledger: parts.ledger, ...plainSeal, emit: (event: CardbatchEvent) => void events.push(event) };
  const eventsOf = <T extends CardbatchEvent["type"]>(type: T) =>
    events.filter((event): event is CardbatchEvent & { type: T } => event.type === type);
  return { ...parts, dispatcher: createDispatcher(lane, deps), eventsOf };
}

const fails = (code: ErrorCode, options: ConstructorParameters<typeof ProviderError>[2] = {}) =>
  new ProviderError(code, "it went wrong", options);
const throwing = (error: unknown) => async () => {
  throw error;
};
const callsIn = ({ happened }: Pick<Parts, "happened">) => happened.filter((what) => what === "called").length;

test("a page whose answer is being stored takes no place from the next call", async () => {
  const parts = createParts({ call: async () => answer() });
  const storing: (() => void)[] = [];
  const store: typeof parts.ledger.store = async (...args) => {
    if (callsIn(parts) > 1) await new Promise<void>((resolve) => storing.push(resolve));
    return parts.ledger.store(...args);
  };
  const lane = { provider: parts.provider, pace: null, timeoutMs: 1000, concurrency: 1 };
  const dispatcher = createDispatcher(lane, { ledger: { ...parts.ledger, store }, ...plainSeal, emit: () => {} });
  await dispatcher.dispatch(pageOf(0), NEVER);
  const pages = [1, 2].map((image) => dispatcher.dispatch(pageOf(image), NEVER));
  await expect.poll(() => storing.length).toBe(2);
  for (const goOn of storing) goOn();
  await Promise.all(pages);
});

test("while all places are taken, the next call has its slot already", async () => {
  const calls: ((said: Answer) => void)[] = [];
  const call = () => new Promise<Answer>((resolve) => calls.push(resolve));
  const { dispatcher, happened } = open({ call }, { concurrency: 1 });
  const dispatched: Promise<unknown>[] = [];
  const dispatch = (image: number) => void dispatched.push(dispatcher.dispatch(pageOf(image), NEVER));
  const count = (what: string) => happened.filter((its) => its === what).length;
  dispatch(0);
  await expect.poll(() => calls.length).toBe(1);
  calls[0]?.(answer());
  await dispatched[0];
  dispatch(1);
  dispatch(2);
  await expect.poll(() => count("turn")).toBe(3);
  expect(count("sent")).toBe(2);
  calls[1]?.(answer());
  await expect.poll(() => calls.length).toBe(3);
  calls[2]?.(answer());
  await Promise.all(dispatched);
});

describe("a page", () => {
  test("is authorized and encoded before its turn, marked right before its call, stored before anything else", async () => {
    const { dispatcher, happened, accounts, eventsOf } = open({ call: async () => answer() });
    const page = pageOf(1);
    expect(await dispatcher.dispatch(page, NEVER)).toMatchObject({
      kind: "answered",
      owner: page.request,
      stored: { kind: "answer", request: page.request, calls: 1 },
    });
    expect(happened).toEqual(["authorized", "encoded", "turn", "sent", "called", "stored"]);
    expect(accounts).toMatchObject([
      { batch: "b", provider: "huawei", billable: true, uncertain: false, notSent: false },
    ]);
    expect(eventsOf("called")).toMatchObject([{ result: "no-card", billable: true, requestId: "h-1" }]);
    expect(page.made()).toBe(1);
  });

  test("that is answered is neither prepared nor sent", async () => {
    const { dispatcher, happened } = open({ call: async () => answer() });
    await dispatcher.dispatch(pageOf(1), NEVER);
    happened.length = 0;
    const again = { prepare: () => Promise.reject(new Error("was prepared")) };
    expect(await dispatcher.dispatch(pageOf(1, again), NEVER)).toMatchObject({ kind: "answered" });
    expect(happened).toEqual([]);
  });

  test("that somebody is reading is left to him", async () => {
    const { dispatcher, giveTurn } = open({ call: async () => answer(), byHand: true });
    const first = dispatcher.dispatch(pageOf(1), NEVER);
    await expect(dispatcher.dispatch(pageOf(1), NEVER)).rejects.toMatchObject({ code: "image-in-work" });
    await expect.poll(giveTurn).toBeUndefined();
    await settled(first, giveTurn);
  });

  test.each(["done", "kept"] as const)("that is %s needs nothing", async (kind) => {
    const parts = open({ call: async () => answer() });
    parts.ledger.claim = async () => ({ kind });
    expect(await parts.dispatcher.dispatch(pageOf(1), NEVER)).toEqual({ kind: "settled" });
    expect(parts.happened).toEqual([]);
  });

  test("that cannot be prepared is let go, without a call", async () => {
    const parts = open({ call: async () => answer() });
    const broken = { prepare: () => Promise.reject(new ImageError("image-corrupt", "cut short")) };
    await expect(parts.dispatcher.dispatch(pageOf(1, broken), NEVER)).rejects.toMatchObject({ code: "image-corrupt" });
    expect(parts.accounts).toEqual([null]);
    expect(callsIn(parts)).toBe(0);
  });

  test("is let go when nobody gives credentials", async () => {
    const parts = open({ call: async () => answer(), authorize: throwing(fails("provider-unavailable")) });
    await expect(parts.dispatcher.dispatch(pageOf(1), NEVER)).rejects.toMatchObject({ code: "provider-unavailable" });
    expect(parts.happened).toEqual(["authorized", "released"]);
  });

  test("whose slot is void by then waits for another, and says that it did not use it", async () => {
    const departures: Departure[] = [{ kind: "void" }, { kind: "void" }];
    const { dispatcher, happened, reports } = open({ call: async () => answer(), departures });
    await dispatcher.dispatch(pageOf(1), NEVER);
    expect(happened.slice(2, -2)).toEqual(["turn", "void", "turn", "void", "turn", "sent"]);
    expect(reports).toEqual([{ kind: "void" }, { kind: "void" }, { kind: "ok" }]);
  });

  test("is not even prepared while nobody may call for long", async () => {
    const parts = open({ call: async () => answer() });
    parts.paceSays({ waiting: { why: "held", untilMs: Date.now() + 60_000, code: null } });
    const held = parts.dispatcher.dispatch(pageOf(1), NEVER);
    await expect(held).rejects.toMatchObject({ code: "provider-held", retryAfterMs: expect.closeTo(60_000, -3) });
    expect(parts.happened).toEqual(["released"]);
  });
});

describe("a final refusal of the image", () => {
  test("is its answer from then on", async () => {
    const error = fails("provider-refused-image", { vendorCode: "AIS.0103", requestId: "h-9", billable: true });
    const parts = open({ call: throwing(error) });
    const refusal = {
      kind: "answered",
      stored: { kind: "refusal", code: "provider-refused-image", vendorCode: "AIS.0103", requestId: "h-9", calls: 1 },
    };
    expect(await parts.dispatcher.dispatch(pageOf(1), NEVER)).toMatchObject(refusal);
    expect(await parts.dispatcher.dispatch(pageOf(1), NEVER)).toMatchObject(refusal);
    expect(callsIn(parts)).toBe(1);
    expect(parts.accounts).toMatchObject([{ billable: true, uncertain: false, notSent: false }]);
  });
});

describe("the account of a call", () => {
  test.each([
    ["that got a 503", fails("provider-unavailable", { httpStatus: 503 }), {}, 1],
    ["that got nonsense for money", fails("provider-response", { billable: true }), { billable: true }, 1],
    ["that broke off", fails("provider-connection", { uncertain: true }), { uncertain: true }, 1],
    ["that was never connected", fails("provider-connection", { notSent: true }), { notSent: true }, 0],
    ["that was aborted on its way", new CancelledError("", { uncertain: true }), { uncertain: true }, 1],
    ["that was aborted before it left", new CancelledError(), { notSent: true }, 0],
    ["that a fault of ours broke", new TypeError("oops"), { uncertain: true }, 1],
  ])("%s", async (_, error, came, calls) => {
    const parts = open({ call: throwing(error) });
    const page = pageOf(1);
    await expect(parts.dispatcher.dispatch(page, NEVER)).rejects.toBe(error);
    const nothing = {
      batch: "b",
      provider: "huawei",
      answered: false,
      billable: false,
      uncertain: false,
      notSent: false,
    };
    expect(parts.accounts).toEqual([{ ...nothing, ...came }]);
    expect(parts.isClaimed()).toBe(false);
    expect([page.made(), parts.eventsOf("called").length]).toEqual([calls, calls]);
  });
});

describe("a provider that has not worked yet", () => {
  test("is called by one at a time, then by all", async () => {
    const calls: ((came: Answer | Error) => void)[] = [];
    const parts = open({
      call: () =>
        new Promise((resolve, reject) => calls.push((came) => (came instanceof Error ? reject(came) : resolve(came)))),
    });
    const pages = [1, 2, 3, 4, 5].map((name) => parts.dispatcher.dispatch(pageOf(name), NEVER).catch((error) => error));
    await expect.poll(() => calls.length).toBe(1);
    calls[0]?.(fails("provider-unavailable"));
    await expect.poll(() => calls.length).toBe(2);
    calls[1]?.(answer());
    await expect.poll(() => calls.length).toBe(5);
    for (const finish of calls) finish(answer());
    expect(await Promise.all(pages)).toMatchObject([
      { code: "provider-unavailable" },
      ...Array(4).fill({ kind: "answered" }),
    ]);
  });

  test("and refuses the credentials is called once, whoever else waits", async () => {
    const error = fails("provider-credentials");
    const parts = open({ call: throwing(error) });
    const pages = [1, 2, 3, 4, 5].map((name) => parts.dispatcher.dispatch(pageOf(name), NEVER));
    for (const { status, reason } of (await Promise.allSettled(pages)) as PromiseRejectedResult[]) {
      expect([status, reason]).toEqual(["rejected", error]);
    }
    expect(parts.happened.filter((what) => what === "turn" || what === "called")).toEqual(["turn", "called"]);
    expect(parts.dispatcher.stoppedBy()).toBe(error);
    expect(parts.eventsOf("provider-stopped")).toEqual([{ type: "provider-stopped", provider: "huawei", error }]);
    expect(parts.isClaimed()).toBe(false);
  });
});

describe("a provider that stops in the middle", () => {
  const quota = fails("provider-quota");

  test("is called by none of those who wait for their turn", async () => {
    const parts = open({ call: async (number) => (number === 1 ? answer() : Promise.reject(quota)), byHand: true });
    await settled(parts.dispatcher.dispatch(pageOf(0), NEVER), parts.giveTurn);
    const pages = [1, 2, 3, 4].map((name) => parts.dispatcher.dispatch(pageOf(name), NEVER));
    for (const page of pages) await expect(settled(page, parts.giveTurn)).rejects.toBe(quota);
    expect(callsIn(parts)).toBe(2);
  });

  test("is called by one at a time again an hour later", async () => {
    const parts = open({ call: async (number) => (number === 1 ? answer() : Promise.reject(quota)) });
    await parts.dispatcher.dispatch(pageOf(0), NEVER);
    await expect(parts.dispatcher.dispatch(pageOf(1), NEVER)).rejects.toBe(quota);
    await expect(parts.dispatcher.dispatch(pageOf(2), NEVER)).rejects.toBe(quota);
    expect(callsIn(parts)).toBe(2);
    vi.setSystemTime(Date.now() + 3600_000);
    const pages = [3, 4, 5, 6].map((name) => parts.dispatcher.dispatch(pageOf(name), NEVER));
    await Promise.allSettled(pages);
    vi.useRealTimers();
    expect(callsIn(parts)).toBe(3);
  });
});

describe("a token that is refused", () => {
  const refused = fails("provider-token", { requestId: "h-7" });

  test("is renewed once for all who used it, and the page comes back", async () => {
    let good = true;
    const parts = open({
      call: async () => (good ? answer() : Promise.reject(refused)),
      renew: async () => {
        good = true;
      },
    });
    await parts.dispatcher.dispatch(pageOf(0), NEVER);
    good = false;
    const pages = [1, 2, 3].map((name) => parts.dispatcher.dispatch(pageOf(name), NEVER));
    for (const { reason } of (await Promise.allSettled(pages)) as PromiseRejectedResult[]) expect(reason).toBe(refused);
    expect(parts.happened.filter((what) => what === "renewed")).toHaveLength(1);
    expect(await parts.dispatcher.dispatch(pageOf(1), NEVER)).toMatchObject({ kind: "answered" });
  });

  test("again after it was renewed stops the provider", async () => {
    const parts = open({ call: throwing(refused), renew: async () => {} });
    await expect(parts.dispatcher.dispatch(pageOf(1), NEVER)).rejects.toBe(refused);
    const stop = { code: "provider-credentials", requestId: "h-7" };
    await expect(parts.dispatcher.dispatch(pageOf(1), NEVER)).rejects.toMatchObject(stop);
    expect(parts.dispatcher.stoppedBy()).toMatchObject(stop);
    expect(callsIn(parts)).toBe(2);
  });

  test("and cannot be renewed passes on why, and lets the page go", async () => {
    const parts = open({ call: throwing(refused), renew: throwing(fails("provider-unavailable", { notSent: true })) });
    await expect(parts.dispatcher.dispatch(pageOf(1), NEVER)).rejects.toMatchObject({ code: "provider-unavailable" });
    expect(parts.accounts).toMatchObject([{ notSent: false, uncertain: false }]);
    expect(parts.dispatcher.stoppedBy()).toBeNull();
  });
});

describe("the pace is told", () => {
  const throttled = (retryAfterMs: number | null) => ({ kind: "throttled", retryAfterMs });
  const failed = (code: ErrorCode, retryAfterMs: number | null = null) => ({ kind: "failed", code, retryAfterMs });
  test.each([
    ["429 with Retry-After", fails("provider-throttled", { retryAfterMs: 7000 }), throttled(7000)],
    ["429 without", fails("provider-throttled"), throttled(null)],
    ["503 with Retry-After", fails("provider-unavailable", { retryAfterMs: 7 }), failed("provider-unavailable", 7)],
    ["a timeout", fails("provider-timeout", { uncertain: true }), failed("provider-timeout")],
    ["no connection", fails("provider-connection", { notSent: true }), failed("provider-connection")],
    ["a refusal of this image", fails("provider-refused-image"), { kind: "ok" }],
    ["an answer that makes no sense", fails("provider-response"), { kind: "ok" }],
    ["a quota used up", fails("provider-quota"), { kind: "stopped", code: "provider-quota" }],
    ["credentials that are this process's own", fails("provider-credentials"), { kind: "void" }],
    ["a call that was given up", new CancelledError(), { kind: "void" }],
    ["a fault of ours", new TypeError("oops"), { kind: "void" }],
  ])("%s", async (_, error, said) => {
    const parts = open({ call: throwing(error) });
    await parts.dispatcher.dispatch(pageOf(1), NEVER).catch(() => {});
    expect(parts.reports).toEqual([said]);
  });

  test("and what that changes for everybody is told on", async () => {
    const parts = open({ call: throwing(fails("provider-unavailable")) });
    const change = { kind: "breaker-opened", code: "provider-unavailable", heldMs: 1000 } as const;
    parts.paceSays({ outage: "7" }, { change, streak: "7" });
    const faults: string[] = [];
    const page = pageOf(1, { onFault: (streak) => void faults.push(streak) });
    await parts.dispatcher.dispatch(page, NEVER).catch(() => {});
    expect(parts.eventsOf("pace-changed")).toEqual([{ type: "pace-changed", provider: "huawei", change }]);
    expect(faults.map((streak) => parts.dispatcher.isOutage(streak))).toEqual([true]);
    expect(parts.dispatcher.isOutage("huawei:6")).toBe(false);
  });

  test("nothing comes of it when the pace cannot be reached", async () => {
    const parts = open({ call: async () => answer() });
    parts.pace.report = () => Promise.reject(new Error("out of memory"));
    expect(await parts.dispatcher.dispatch(pageOf(1), NEVER)).toMatchObject({ kind: "answered" });
  });
});

describe("to stop", () => {
  const stopSignals = () => {
    const [soft, hard] = [new AbortController(), new AbortController()];
    return { soft, hard, stop: { soft: soft.signal, hard: hard.signal } };
  };

  test("softly ends the wait for a turn, and nothing was called", async () => {
    const { soft, stop } = stopSignals();
    const parts = open({ call: async () => answer(), byHand: true });
    const pages = [1, 2].map((name) => parts.dispatcher.dispatch(pageOf(name), stop));
    await expect.poll(() => parts.happened.filter((what) => what === "encoded").length).toBe(2);
    soft.abort();
    for (const page of pages) await expect(page).rejects.toBeInstanceOf(CancelledError);
    expect(parts.accounts).toEqual([null, null]);
    expect(callsIn(parts)).toBe(0);
  });

  test("softly needs no pace for that", async () => {
    const { soft, stop } = stopSignals();
    const parts = open({ call: async () => answer() }, { withPace: false });
    soft.abort();
    await expect(parts.dispatcher.dispatch(pageOf(1), stop)).rejects.toBeInstanceOf(CancelledError);
    expect(parts.accounts).toEqual([null]);
  });

  test("softly lets a call under way finish, and its answer is stored", async () => {
    const { soft, stop } = stopSignals();
    const calls: ((came: Answer) => void)[] = [];
    const parts = open({ call: () => new Promise((resolve) => calls.push(resolve)) });
    const page = parts.dispatcher.dispatch(pageOf(1), stop);
    await expect.poll(() => callsIn(parts)).toBe(1);
    soft.abort();
    calls[0]?.(answer());
    expect(await page).toMatchObject({ kind: "answered" });
    expect(parts.happened.at(-1)).toBe("stored");
  });

  test("hard ends the call as well; it may be billed", async () => {
    const { soft, hard, stop } = stopSignals();
    const parts = open({
      call: (_, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(new CancelledError("", { uncertain: true })));
        }),
    });
    const page = parts.dispatcher.dispatch(pageOf(1), stop);
    await expect.poll(() => callsIn(parts)).toBe(1);
    soft.abort();
    hard.abort();
    await expect(page).rejects.toBeInstanceOf(CancelledError);
    expect(parts.accounts).toMatchObject([{ uncertain: true, notSent: false }]);
    expect(parts.isClaimed()).toBe(false);
  });
});

/** Gives turns until the page is through. */
async function settled<T>(page: Promise<T>, giveTurn: () => void): Promise<T> {
  const giving = setInterval(giveTurn, 1);
  return page.finally(() => clearInterval(giving));
}
