import { inspect } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { ProviderName } from "../../src/domain/answer.js";
import { CancelledError, type Disposition, type ErrorCode, ProviderError } from "../../src/domain/errors.js";
import type { PreparedImage } from "../../src/domain/image.js";
import { BILLING } from "../../src/domain/money.js";
import type { Pan } from "../../src/domain/pan.js";
import type { OcrProvider } from "../../src/domain/provider.js";
import type { CallTotals } from "../../src/http/emulate/call-report.js";
import type { FaultsInput } from "../../src/http/emulate/faults.js";

type FaultInput = FaultsInput["rules"][number]["do"];

/** A provider that is under test, with pictures that it can answer. */
export interface OpenSubject {
  readonly provider: OcrProvider;
  readonly pictures: {
    readonly card: PreparedImage;
    /** Left out where nobody knows what the provider says of such a picture. */
    readonly noCard?: PreparedImage;
    /** Left out where nothing is known to hold several. */
    readonly severalCards?: PreparedImage;
  };
  /** How many calls go out at once. @default 24 */
  readonly parallelCalls?: number;
  /** Whether this is the number on `pictures.card`. */
  isRight(number: Pan): boolean;
  /** The vendor's side, where it can be made to fail. */
  readonly vendor?: {
    readonly emulator: { setFaults(faults: FaultsInput): void; reset(): void; totals(): CallTotals };
    /** The same account with little patience. @unit milliseconds */
    impatient(timeoutMs: number): OcrProvider;
    /** Must never be seen in an error. */
    readonly secrets: readonly string[];
  };
  close(): Promise<void>;
}

/** What a failure must look like; what is left out is false, or null. */
export interface ExpectedFailure {
  readonly code: ErrorCode;
  readonly disposition: Disposition;
  readonly vendorCode?: string;
  readonly httpStatus?: number;
  readonly uncertain?: boolean;
  readonly billable?: boolean;
  readonly maxAttempts?: number;
  readonly retryAfterMs?: number;
}
export type FailureRow = readonly [fault: FaultInput, expected: ExpectedFailure];

export interface Subject {
  /** `huawei`, or with the way it authenticates. */
  readonly title: string;
  readonly name: ProviderName;
  open(): Promise<OpenSubject>;
  /** Failures of this vendor's own, besides those that every vendor has. */
  readonly failures?: readonly FailureRow[];
}

const UNAVAILABLE = { code: "provider-unavailable", disposition: "retry" } as const;
const THROTTLED = { code: "provider-throttled", disposition: "defer", httpStatus: 429 } as const;
const UNREADABLE = {
  code: "provider-response",
  disposition: "retry",
  httpStatus: 200,
  billable: true,
  maxAttempts: 6,
} as const;
const RESET = { code: "provider-connection", disposition: "retry", uncertain: true } as const;

const COMMON_FAILURES: readonly FailureRow[] = [
  ...[500, 502, 503, 504].map(
    (status): FailureRow => [
      { kind: "status", status },
      { ...UNAVAILABLE, httpStatus: status },
    ],
  ),
  [
    { kind: "status", status: 503, body: "html" },
    { ...UNAVAILABLE, httpStatus: 503 },
  ],
  [
    { kind: "status", status: 503, body: "empty", retryAfter: "7" },
    { ...UNAVAILABLE, httpStatus: 503, retryAfterMs: 7000 },
  ],
  [{ kind: "status", status: 429, body: "html" }, THROTTLED],
  [
    { kind: "status", status: 429, retryAfter: "2" },
    { ...THROTTLED, retryAfterMs: 2000 },
  ],
  [
    { kind: "status", status: 429, retryAfter: { dateInMs: -60_000 } },
    { ...THROTTLED, retryAfterMs: 0 },
  ],
  [
    { kind: "status", status: 429, retryAfter: { dateInMs: 9_000_000 } },
    { ...THROTTLED, retryAfterMs: 900_000 },
  ],
  [
    { kind: "status", status: 429, retryAfter: "99999999999999999999" },
    { ...THROTTLED, retryAfterMs: 900_000 },
  ],
  ...["-2", "soon", "1e3", ""].map(
    (retryAfter): FailureRow => [{ kind: "status", status: 429, retryAfter }, THROTTLED],
  ),
  [
    { kind: "status", status: 302, body: "html" },
    { code: "provider-config", disposition: "stop-provider", httpStatus: 302 },
  ],
  [
    { kind: "status", status: 400, body: "html" },
    { code: "provider-refused", disposition: "fail", httpStatus: 400 },
  ],
  [
    { kind: "status", status: 403, body: "html" },
    { code: "provider-permission", disposition: "stop-provider", httpStatus: 403 },
  ],
  [
    { kind: "status", status: 404, body: "html" },
    { code: "provider-config", disposition: "stop-provider", httpStatus: 404 },
  ],
  [
    { kind: "status", status: 408, body: "empty" },
    { ...UNAVAILABLE, httpStatus: 408 },
  ],
  [
    { kind: "status", status: 413, body: "html" },
    { code: "provider-refused-image", disposition: "fail", httpStatus: 413 },
  ],
  [{ kind: "reset-before" }, RESET],
  [{ kind: "reset-after" }, RESET],
  [{ kind: "truncated", how: "length" }, UNREADABLE],
  [{ kind: "truncated", how: "cut" }, UNREADABLE],
  [{ kind: "html" }, UNREADABLE],
  [{ kind: "empty" }, UNREADABLE],
  [{ kind: "huge", bytes: 50_000_000 }, UNREADABLE],
];

/** What every provider keeps to, whatever stands behind it. */
export function testProvider(subject: Subject): void {
  describe(subject.title, () => {
    let open: OpenSubject;
    const never = new AbortController().signal;
    const call = (image: PreparedImage, provider = open.provider, signal = never) =>
      provider.call(provider.encode(image), signal);

    beforeAll(async () => {
      open = await subject.open();
      await open.provider.authorize(never);
    });
    afterEach(() => open.vendor?.emulator.reset());
    afterAll(() => open.close());

    test("says what it is", () => {
      const { name, account, bounds } = open.provider;
      expect(name).toBe(subject.name);
      expect(account).toMatch(/^[\w-]{1,40}$/);
      expect(bounds.formats.length).toBeGreaterThan(0);
      for (const secret of open.vendor?.secrets ?? []) expect(account).not.toContain(secret);
    });

    test("reads a card, its number hidden from whoever prints the answer", async () => {
      const answer = await call(open.pictures.card);
      const [card] = answer.cards;
      expect(answer).toMatchObject({ provider: subject.name, billable: BILLING[subject.name] !== "free" });
      expect(answer.latencyMs).toBeGreaterThan(0);
      expect(card?.number && open.isRight(card.number)).toBe(true);
      for (const confidence of Object.values(card?.confidence ?? {})) {
        expect(confidence).toBeGreaterThan(0);
        expect(confidence).toBeLessThanOrEqual(1);
      }
      expect(JSON.stringify(answer) + inspect(answer, { depth: 9, showHidden: true })).not.toMatch(/\d{13}/);
    });

    test("leads keypoints back to the page that was resized", async () => {
      const sent = await call(open.pictures.card);
      const resized = await call({ ...open.pictures.card, pixelsPerSentPixel: 2.5 });
      const points = sent.cards[0]?.keypoints.number;
      expect(points).toBeDefined();
      expect(resized.cards[0]?.keypoints.number).toEqual(points?.map(({ x, y }) => ({ x: x * 2.5, y: y * 2.5 })));
    });

    test("answers with no cards where there is none", async ({ skip }) => {
      if (open.pictures.noCard === undefined) return skip("no such picture");
      expect((await call(open.pictures.noCard)).cards).toEqual([]);
    });

    test("tells several cards apart, or gives one", async ({ skip }) => {
      if (open.pictures.severalCards === undefined) return skip("no such picture");
      const { cards } = await call(open.pictures.severalCards);
      expect(cards).toHaveLength(open.provider.cardsPerImage === "many" ? 2 : 1);
    });

    test("answers many at once", async () => {
      const length = open.parallelCalls ?? 24;
      const answers = await Promise.all(Array.from({ length }, () => call(open.pictures.card)));
      expect(answers.every(({ cards }) => cards[0]?.number && open.isRight(cards[0].number))).toBe(true);
    });

    test("sends nothing when it is stopped before", async () => {
      const failure = await call(open.pictures.card, open.provider, AbortSignal.abort()).catch((error) => error);
      expect(failure).toBeInstanceOf(CancelledError);
      expect(failure).toMatchObject({ code: "cancelled", uncertain: false });
      if (open.vendor) expect(open.vendor.emulator.totals().calls).toBe(0);
    });

    if (subject.failures !== undefined) testFailures(subject.failures, () => open, call);
  });
}

type Call = (image: PreparedImage, provider?: OcrProvider, signal?: AbortSignal) => Promise<unknown>;

function testFailures(own: readonly FailureRow[], getOpen: () => OpenSubject, call: Call): void {
  /** The failure of one call, while the vendor fails in this way. */
  async function failWith(fault: FaultInput, provider?: OcrProvider, signal?: AbortSignal): Promise<unknown> {
    vendor().emulator.setFaults({ rules: [{ do: fault, times: 1 }] });
    return call(getOpen().pictures.card, provider, signal).then(
      () => expect.fail("an answer came"),
      (error) => error,
    );
  }
  function vendor() {
    const { vendor } = getOpen();
    if (vendor === undefined) throw new Error("this subject's vendor cannot be made to fail");
    return vendor;
  }

  test.each([...COMMON_FAILURES, ...own])("at %j it says %j", async (fault, expected) => {
    const failure = await failWith(fault);
    expect(failure).toBeInstanceOf(ProviderError);
    const unless = { vendorCode: null, httpStatus: null, retryAfterMs: null, maxAttempts: null };
    const { vendorCode, ...rest } = { ...unless, uncertain: false, billable: false, notSent: false, ...expected };
    expect(failure).toMatchObject(vendorCode === null ? rest : { ...rest, vendorCode });
    expectSafe(failure, vendor().secrets);

    const { billable, uncertain } = vendor().emulator.totals();
    expect({ billable, uncertain }).toEqual({ billable: Number(rest.billable), uncertain: Number(rest.uncertain) });
    await expect(call(getOpen().pictures.card), "the next call").resolves.toBeDefined();
  });

  test("waits as long as the date in Retry-After says", async () => {
    const failure = await failWith({ kind: "status", status: 429, retryAfter: { dateInMs: 30_000 } });
    expect(failure).toMatchObject({
      ...THROTTLED,
      retryAfterMs: expect.toSatisfy((ms) => ms === 30_000 || ms === 29_000),
    });
  });

  test.each<[FaultInput, Partial<ExpectedFailure>]>([
    [
      { kind: "delay", ms: 60_000 },
      { uncertain: true, billable: false, httpStatus: null as never },
    ],
    [
      { kind: "drip", everyMs: 1000 },
      { uncertain: false, billable: true, httpStatus: 200, maxAttempts: 6 },
    ],
  ])("at %j it gives up in time", async (fault, expected) => {
    const impatient = vendor().impatient(400);
    await impatient.authorize(new AbortController().signal);
    const failure = await failWith(fault, impatient);
    expect(failure).toMatchObject({ code: "provider-timeout", disposition: "retry", notSent: false, ...expected });
    await impatient.close();
  });

  test("a call that is stopped under way may have been billed", async () => {
    const stop = new AbortController();
    const failing = failWith({ kind: "delay", ms: 60_000 }, undefined, stop.signal);
    await expect.poll(() => vendor().emulator.totals().calls).toBe(1);
    stop.abort();
    const failure = await failing;
    expect(failure).toBeInstanceOf(CancelledError);
    expect(failure).toMatchObject({ uncertain: true, disposition: "defer" });
    await expect.poll(() => vendor().emulator.totals().byStatus).toEqual({ gone: 1 });
  });

  test("many calls refused at once renew the token once", async ({ skip }) => {
    const { provider, pictures } = getOpen();
    const never = new AbortController().signal;
    if (provider.renew === undefined) return skip("nothing to renew");
    vendor().emulator.setFaults({ rules: [{ do: { kind: "revoke-tokens" }, times: 1 }] });
    const issuedBefore = vendor().emulator.totals().iam.issued;
    const refused = await Promise.all(Array.from({ length: 8 }, () => call(pictures.card).catch((error) => error)));
    for (const failure of refused) expect(failure).toMatchObject({ code: "provider-token", disposition: "refresh" });
    await Promise.all(refused.map(() => provider.renew?.(never)));
    await provider.renew(never);
    expect(vendor().emulator.totals().iam.issued).toBe(issuedBefore + 1);
    await expect(call(pictures.card)).resolves.toBeDefined();
  });
}

/** Nothing that must not be logged is anywhere in it. */
function expectSafe(failure: unknown, secrets: readonly string[]): void {
  const everything = inspect(failure, { depth: 9, showHidden: true }) + JSON.stringify(failure);
  for (const secret of secrets) expect(everything).not.toContain(secret);
  expect(everything.replaceAll(/at .*\n/g, "")).not.toMatch(/\d{13}|Gateway/);
}
