import { createDispatcher } from "../../src/dispatch/dispatch-page.js";
import type { Answer, AnswerKey } from "../../src/domain/answer.js";
import type { Dispatcher } from "../../src/domain/dispatcher.js";
import { type CardbatchError, type ErrorCode, ProviderError, toCardbatchError } from "../../src/domain/errors.js";
import type { AnswerLedger, CallAccount, HeldPage } from "../../src/domain/ledger.js";
import type { CallReport, Pace, Slot } from "../../src/domain/pace.js";
import {
  type AttemptState,
  chargeAttempt,
  FIRST_ATTEMPT,
  nextStep,
  noteFault,
  refundOutage,
} from "../../src/domain/retry-policy.js";
import { imageKeyOf } from "../helpers/image-keys.js";
import { seededRandom } from "../helpers/random.js";
import { answer, createParts, pageOf, plainSeal } from "./parts.js";
import { createVirtualTime } from "./virtual-time.js";

export interface WorldOptions {
  readonly seed: number;
  readonly images: number;
  /** Requests for each image. */
  readonly wanted: number;
  readonly processes: number;
  readonly deaths: number;
  /** Of a call: each of the faults. */
  readonly faults: {
    readonly unavailable: number;
    readonly reset: number;
    readonly hang: number;
    readonly throttled: number;
  };
  /** The vendor answers nobody from, until. */
  readonly outageMs: readonly [number, number] | null;
}

export interface VendorCall {
  readonly key: AnswerKey;
  readonly process: number;
  readonly startMs: number;
  readonly endMs: number;
}

export interface Ended {
  readonly outcome: "answered" | ErrorCode;
  readonly attempts: number;
  readonly timeouts: number;
}

/** What has happened in a world. */
export interface History {
  readonly calls: readonly VendorCall[];
  /** When each answer was stored. */
  readonly storedMs: ReadonlyMap<AnswerKey, number>;
  readonly ended: ReadonlyMap<string, Ended>;
  readonly diedMs: ReadonlyMap<number, number>;
  /** Calls as the ledger counts them, and what they came to. */
  readonly accounts: {
    readonly calls: number;
    readonly answered: number;
    readonly refused: number;
    readonly uncertain: number;
  };
}

interface Death {
  readonly told: Promise<true>;
  readonly tell: () => void;
}

const TIMEOUT_MS = 1000;
const DEADLINE_MARGIN_MS = 2000;
/** What a dead process leaves behind is free after this. */
const PRESENCE_MS = 8000;
const LONGEST_MS = 3600_000;
/** How often who has nothing to do looks again. */
const IDLE_MS = 100;
const NEVER = new Promise<never>(() => {});

/**
 * Processes, a vendor, a queue and a ledger, in virtual time: the dispatcher and the retry policy are the real ones, everything
 * around them is a model that follows one seed. A process that dies stops at whatever it was waiting for; what it had asked for is
 * done, and nobody hears of it.
 */
export async function runWorld(options: WorldOptions): Promise<History> {
  const time = createVirtualTime();
  const random = seededRandom(options.seed);
  const diedMs = new Map<number, number>();
  const deaths = new Map<number, Death>();
  const isDead = (process: number) => diedMs.has(process);
  const isGone = (process: number) => time.now() > (diedMs.get(process) ?? Number.POSITIVE_INFINITY) + PRESENCE_MS;

  /** The way to a shared place and back: the step itself is atomic. */
  const step = async <T>(process: number, run: () => T): Promise<T> => {
    await time.sleep(random() * 4);
    if (isDead(process)) return NEVER;
    const result = run();
    await time.sleep(random() * 4);
    return isDead(process) ? NEVER : result;
  };

  const vendor = createVendor();
  const ledger = createModelLedger();
  const pace = createModelPace();
  const ended = new Map<string, Ended>();
  const queue: {
    readonly request: string;
    readonly image: number;
    readonly state: AttemptState;
    readonly atMs: number;
  }[] = [];
  for (let image = 0; image < options.images; image++) {
    for (let i = 0; i < options.wanted; i++) {
      queue.push({ request: `${image}-${i}`, image, state: FIRST_ATTEMPT, atMs: random() * 50 });
    }
  }
  const isOver = () => ended.size === options.images * options.wanted;

  for (let process = 0; process < options.processes; process++) startProcess(process);
  for (let i = 0; i < options.deaths; i++) {
    void time.sleep(random() * 3000).then(() => {
      const living = [...Array(options.processes + i).keys()].filter((process) => !isDead(process));
      const victim = living[Math.floor(random() * living.length)];
      if (victim === undefined) return;
      diedMs.set(victim, time.now());
      deathOf(victim).tell();
      startProcess(options.processes + i);
    });
  }
  await time.runOut(LONGEST_MS);
  return { calls: vendor.calls, storedMs: ledger.storedMs, ended, diedMs, accounts: ledger.accounts };

  function startProcess(process: number): void {
    const { provider } = createParts({ call: () => NEVER });
    const dispatcher = createDispatcher(
      {
        provider: { ...provider, call: vendor.callFrom(process) },
        pace: pace.of(process),
        timeoutMs: TIMEOUT_MS,
        concurrency: 2,
      },
      { ledger: ledger.of(process), ...plainSeal, emit: () => {} },
    );
    for (let worker = 0; worker < 3; worker++) void work(process, dispatcher);
  }

  async function work(process: number, dispatcher: Dispatcher): Promise<void> {
    while (!isOver() && !isDead(process)) {
      const ready = queue.findIndex(({ atMs }) => atMs <= time.now());
      const [job] = ready < 0 ? [] : queue.splice(ready, 1);
      if (job === undefined) {
        await time.sleep(IDLE_MS);
        continue;
      }
      // A dead worker's jobs come back to the queue.
      const back = (state: AttemptState, delayMs: number) => queue.push({ ...job, state, atMs: time.now() + delayMs });
      const attempt = workOn(job.request, job.image, job.state, dispatcher, back);
      const isLost = await Promise.race([attempt.then(() => false), deathOf(process).told]);
      if (isLost) back(job.state, PRESENCE_MS);
    }
  }

  function deathOf(process: number): Death {
    const known = deaths.get(process);
    if (known !== undefined) return known;
    let tell = () => {};
    const told = new Promise<true>((resolve) => {
      tell = () => resolve(true);
    });
    deaths.set(process, { told, tell });
    return { told, tell };
  }

  async function workOn(
    request: string,
    image: number,
    before: AttemptState,
    dispatcher: Dispatcher,
    back: (state: AttemptState, delayMs: number) => void,
  ): Promise<void> {
    let streak: string | null = null;
    const page = pageOf(request, {
      imageKey: imageKeyOf(image),
      onFault: (its) => {
        streak = its;
      },
    });
    const signals = { soft: new AbortController().signal, hard: new AbortController().signal };
    const error = await dispatcher.dispatch(page, signals).then(
      () => null,
      (thrown: unknown) => toCardbatchError(thrown),
    );
    const isOutage = (its: string) => dispatcher.isOutage(its);
    const state = refundOutage(before, isOutage);
    const timeouts = (met: AttemptState["met"]) => met["provider-timeout"] ?? 0;
    if (error === null) {
      ended.set(request, { outcome: "answered", attempts: state.attempts, timeouts: timeouts(state.met) });
      return;
    }
    conclude(error, state, streak, isOutage);

    function conclude(met: CardbatchError, now: AttemptState, its: string | null, known: (streak: string) => boolean) {
      const noted = noteFault(now, met);
      const next = nextStep(met, noted, random, its !== null && known(its));
      if (next.kind === "again") return back(chargeAttempt(noted, next, its), next.delayMs);
      ended.set(request, { outcome: met.code, attempts: now.attempts, timeouts: timeouts(noted.met) });
    }
  }

  function createVendor() {
    const calls: VendorCall[] = [];
    const { unavailable, reset, hang, throttled } = options.faults;
    const fault = (): ProviderError | null => {
      const draw = random();
      if (draw < unavailable) return new ProviderError("provider-unavailable", "503", { httpStatus: 503 });
      if (draw < unavailable + reset) return new ProviderError("provider-connection", "reset", { uncertain: true });
      if (draw < unavailable + reset + hang) return new ProviderError("provider-timeout", "late", { uncertain: true });
      if (draw < unavailable + reset + hang + throttled) {
        return new ProviderError("provider-throttled", "429", { retryAfterMs: random() < 0.5 ? 200 : 1000 });
      }
      return null;
    };
    return {
      calls,
      callFrom:
        (process: number) =>
        async (encoded: { readonly body: Buffer }): Promise<Answer> => {
          const [image = ""] = encoded.body.toString().split("-");
          const startMs = time.now();
          const isDown = options.outageMs !== null && startMs >= options.outageMs[0] && startMs < options.outageMs[1];
          const error = isDown ? new ProviderError("provider-unavailable", "503") : fault();
          const durationMs = error?.code === "provider-timeout" ? TIMEOUT_MS : 20 + random() * 200;
          calls.push({ key: imageKeyOf(Number(image)), process, startMs, endMs: startMs + durationMs });
          await time.sleep(durationMs);
          if (isDead(process)) return NEVER;
          if (error !== null) throw error;
          return answer();
        },
    };
  }

  function createModelLedger() {
    const answers = new Map<AnswerKey, Buffer>();
    const storedMs = new Map<AnswerKey, number>();
    const flying = new Map<
      AnswerKey,
      { readonly ticket: string; readonly process: number; readonly deadlineMs: number | null }
    >();
    const lost = new Set<string>();
    const accounts = { calls: 0, answered: 0, refused: 0, uncertain: 0 };
    let tickets = 0;
    const settle = (held: HeldPage, account: CallAccount | null) => {
      const isHeld = flying.get(held.key)?.ticket === held.ticket;
      if (isHeld) flying.delete(held.key);
      if (account === null) return;
      const wasLost = lost.delete(held.ticket);
      if (wasLost) accounts.uncertain--;
      if (!isHeld && !wasLost) return;
      if (account.answered) accounts.answered++;
      else if (account.uncertain) accounts.uncertain++;
      else if (account.notSent) accounts.calls--;
      else accounts.refused++;
    };
    const of = (process: number): AnswerLedger => ({
      claim: (key, { request }) =>
        step(process, () => {
          const sealed = answers.get(key);
          if (sealed !== undefined) return { kind: "answered", owner: request, sealed } as const;
          const its = flying.get(key);
          if (its !== undefined) {
            const isLate = its.deadlineMs !== null && time.now() > its.deadlineMs;
            if (!isGone(its.process) && !isLate) return { kind: "busy" } as const;
            if (its.deadlineMs !== null) {
              accounts.uncertain++;
              lost.add(its.ticket);
            }
          }
          const ticket = String(++tickets);
          flying.set(key, { ticket, process, deadlineMs: null });
          return { kind: "claimed", owner: request, held: { key, ticket } } as const;
        }),
      markSent: ({ key, ticket }, _, deadlineMs) =>
        step(process, () => {
          if (flying.get(key)?.ticket !== ticket) return { kind: "lost" } as const;
          flying.set(key, { ticket, process, deadlineMs: time.now() + deadlineMs });
          accounts.calls++;
          return { kind: "go", waitMs: 0 } as const;
        }),
      store: (held, sealed, account) =>
        step(process, () => {
          if (!answers.has(held.key)) {
            answers.set(held.key, sealed);
            storedMs.set(held.key, time.now());
          }
          settle(held, account);
        }),
      release: (held, account) => step(process, () => settle(held, account)),
    });
    return { of, accounts, storedMs };
  }

  /** Hands out turns evenly, holds when told to, and sends one call ahead when ten in a row have failed. */
  function createModelPace() {
    let tat = 0;
    let holdMs = 0;
    let failures = 0;
    let streak = 0;
    let streakUs = 0;
    let outage: number | null = null;
    let probe: { readonly process: number; readonly untilMs: number } | null = null;
    let isBroken = false;
    const take = async (process: number): Promise<Slot> => {
      for (;;) {
        const slot = await step(process, () => {
          const isProbeOut = probe !== null && time.now() < probe.untilMs && !isGone(probe.process);
          if (time.now() < holdMs || (isBroken && isProbeOut)) return null;
          if (isBroken) probe = { process, untilMs: time.now() + TIMEOUT_MS + DEADLINE_MARGIN_MS };
          const atMs = Math.max(time.now(), tat);
          tat = atMs + 10;
          return { atUs: atMs * 1000, intervalUs: 0, toleranceUs: 0, epoch: 0, isProbe: isBroken };
        });
        await time.sleep(slot === null ? IDLE_MS : Math.max(slot.atUs / 1000 - time.now(), 0));
        if (slot !== null) return slot;
      }
    };
    const hear = (slot: Slot, said: CallReport) => {
      if (slot.isProbe) probe = null;
      if (said.kind === "ok") {
        if (slot.atUs > streakUs) failures = 0;
        if (slot.isProbe) isBroken = false;
      }
      if (said.kind === "throttled") holdMs = Math.max(holdMs, time.now() + (said.retryAfterMs ?? 100));
      if (said.kind !== "failed") return { change: null, streak: null };
      if (failures++ === 0 && !isBroken) {
        streak++;
        streakUs = slot.atUs;
      }
      if (failures >= 10) {
        isBroken = true;
        outage = streak;
        holdMs = time.now() + 1000;
      }
      return { change: null, streak: String(streak) };
    };
    const of = (process: number): Pace => ({
      key: "pace",
      take: () => take(process),
      report: (slot, said) => step(process, () => hear(slot, said)),
      state: () => ({ rate: 100, waiting: null, outage: outage === null ? null : String(outage) }),
      close: async () => {},
    });
    return { of };
  }
}
