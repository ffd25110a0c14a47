import fc from "fast-check";
import { expect, test } from "vitest";
import { wilson } from "../../src/evaluate/wilson.js";

// Newcombe 1998 (Statistics in Medicine 17), table I, method 3.
test.each([
  [81, 263, 0.2553, 0.3662],
  [15, 148, 0.0624, 0.1605],
  [0, 20, 0, 0.1611],
  [1, 29, 0.0061, 0.1718],
])("%i of %i", (hits, of, low, high) => {
  const bounds = wilson(hits, of);
  expect(bounds[0]).toBeCloseTo(low, 4);
  expect(bounds[1]).toBeCloseTo(high, 4);
});

test("nothing seen, nothing known", () => {
  expect(wilson(0, 0)).toEqual([0, 1]);
});

test("holds the share itself, between 0 and 1, and is the same seen from the other side", () => {
  const seen = fc
    .integer({ min: 1, max: 1_000_000 })
    .chain((of) => fc.tuple(fc.integer({ min: 0, max: of }), fc.constant(of)));
  fc.assert(
    fc.property(seen, ([hits, of]) => {
      const [low, high] = wilson(hits, of);
      expect(low).toBeGreaterThanOrEqual(0);
      expect(high).toBeLessThanOrEqual(1);
      expect(low).toBeLessThanOrEqual(hits / of + 1e-12);
      expect(high).toBeGreaterThanOrEqual(hits / of - 1e-12);
      expect(wilson(of - hits, of)[0]).toBeCloseTo(1 - high, 9);
    }),
  );
});
