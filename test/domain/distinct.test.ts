import { expect, test } from "vitest";
import { DistinctCounter } from "../../src/domain/distinct.js";
import { seededRandom } from "../helpers/random.js";

const SEED = 7;

function digests(count: number): bigint[] {
  const random = seededRandom(SEED);
  const half = () => BigInt(Math.floor(random() * 2 ** 32));
  return Array.from({ length: count }, () => (half() << 32n) | half());
}

test("counts each thing once, by the kind it had first", () => {
  const counter = new DistinctCounter(["old", "new"]);
  const things = [0n, ...digests(20_000)];
  for (const [i, digest] of things.entries()) counter.add(digest, i % 4 === 0 ? "old" : "new");
  for (const digest of things.slice(0, 5000)) counter.add(digest, "new");
  expect(counter.counts()).toEqual({
    total: 25_001,
    distinct: 20_001,
    byKind: { old: 5001, new: 15_000 },
    exact: true,
  });
});

test("estimates what it cannot keep, and says so", () => {
  const counter = new DistinctCounter(["old", "new"], 4096);
  const things = digests(100_000);
  for (const [i, digest] of things.entries()) counter.add(digest, i % 4 === 0 ? "old" : "new");
  for (const digest of things.slice(0, 50_000)) counter.add(digest, "new");
  const { total, distinct, byKind, exact } = counter.counts();
  expect(exact).toBe(false);
  expect(total).toBe(150_000);
  expect(distinct / 100_000).toBeCloseTo(1, 1);
  expect(byKind.old / distinct).toBeCloseTo(0.25, 1);
});
