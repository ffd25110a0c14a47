import { describe, expect, test } from "vitest";
import { RETRY_POLICY } from "../../src/domain/retry-policy.js";
import { seededRandom } from "../helpers/random.js";
import { type History, runWorld, type WorldOptions } from "./virtual-world.js";

/** So many worlds; `CARDBATCH_TEST_SEED` is the first, so that one that fails can be seen again alone. */
const FIRST = Number(process.env.CARDBATCH_TEST_SEED ?? 1);
const WORLDS = 2000;
const NO_FAULTS = { unavailable: 0, reset: 0, hang: 0, throttled: 0 };

/** A world that is small, and bad in its own way. */
function worldOf(seed: number): WorldOptions {
  const random = seededRandom(seed);
  const upTo = (most: number) => Math.floor(random() * (most + 1));
  const faults = {
    unavailable: 0.2 * random(),
    reset: 0.1 * random(),
    hang: 0.03 * random(),
    throttled: 0.1 * random(),
  };
  return {
    seed,
    images: 1 + upTo(5),
    wanted: 1 + upTo(2),
    processes: 1 + upTo(2),
    deaths: upTo(3),
    faults: random() < 0.2 ? NO_FAULTS : faults,
    outageMs: random() < 0.2 ? [upTo(300), 300 + upTo(20_000)] : null,
  };
}

/** What may never be, whatever happened. @returns the first thing that is wrong */
function wrongWith({ images, wanted, deaths }: WorldOptions, history: History): string | null {
  const { calls, storedMs, ended, diedMs, accounts } = history;
  if (ended.size !== images * wanted) return "a request has no outcome";
  for (const { key, startMs } of calls) {
    if (startMs > (storedMs.get(key) ?? Number.POSITIVE_INFINITY)) return "a call for an answer that is stored";
  }
  for (const [i, first] of calls.entries()) {
    const besides = calls.slice(i + 1).find(({ key, startMs }) => key === first.key && startMs < first.endMs);
    if (besides !== undefined && !diedMs.has(first.process)) return "two calls at a time for one page";
  }
  for (const { outcome, attempts, timeouts } of ended.values()) {
    if (attempts > RETRY_POLICY.maxAttempts || attempts < 1) return `${attempts} attempts`;
    if (timeouts > RETRY_POLICY.maxTimeouts + 1) return `${timeouts} timeouts`;
    const isGivenUp = outcome === "provider-timeout" || attempts === RETRY_POLICY.maxAttempts;
    if (outcome !== "answered" && !isGivenUp) return `given up with ${outcome} after ${attempts} attempts`;
  }
  const { answered, refused, uncertain } = accounts;
  if (accounts.calls !== answered + refused + uncertain) return `accounts: ${JSON.stringify(accounts)}`;
  // A process may die between saying that it calls and calling.
  if (accounts.calls < calls.length || accounts.calls > calls.length + 3 * deaths) {
    return `${accounts.calls} calls in the accounts, ${calls.length} at the vendor`;
  }
  return null;
}

describe("worlds of processes that die, with vendors that fail", () => {
  test(`${WORLDS} of them, from seed ${FIRST}: nothing lost, nothing asked twice, every call accounted for`, async () => {
    for (let seed = FIRST; seed < FIRST + WORLDS; seed++) {
      const options = worldOf(seed);
      const wrong = wrongWith(options, await runWorld(options));
      if (wrong !== null) throw new Error(`CARDBATCH_TEST_SEED=${seed}: ${wrong}, in ${JSON.stringify(options)}`);
    }
  }, 120_000);

  test("an outage costs no attempt, however long it is", async () => {
    for (let seed = FIRST; seed < FIRST + 20; seed++) {
      const world = { seed, images: 20, wanted: 1, processes: 2, deaths: 0, faults: NO_FAULTS };
      const { ended } = await runWorld({ ...world, outageMs: [30, 300_000] });
      const paid = [...ended.values()].filter(({ outcome, attempts }) => outcome !== "answered" || attempts !== 1);
      expect(paid, `seed ${seed}`).toEqual([]);
    }
  }, 60_000);
});
