import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { createCounter, createHistogram } from "../../src/telemetry/tallies.js";

const about = { help: "for a test", labels: ["a", "b"], known: [{ a: "1", b: "2" }] };

test("a counter counts each combination of its labels, and those that are known from the start", async () => {
  const registry = new Registry();
  const counter = createCounter(registry, { ...about, name: "calls_total" });
  counter.inc({ b: "2", a: "x" });
  counter.inc({ a: "x", b: "2" }, 2.5);
  expect(await registry.metrics()).toBe(`# HELP calls_total for a test
# TYPE calls_total counter
calls_total{a="1",b="2"} 0
calls_total{b="2",a="x"} 3.5
`);
});

test("a histogram counts what is not above a bound, and what is above all of them", async () => {
  const registry = new Registry();
  const histogram = createHistogram(registry, { ...about, name: "took", labels: [], known: [{}] }, [0.1, 1]);
  for (const value of [0, 0.1, 0.5, 1, 7]) histogram.observe({}, value);
  expect((await registry.metrics()).split("\n").slice(2)).toEqual([
    'took_bucket{le="0.1"} 2',
    'took_bucket{le="1"} 4',
    'took_bucket{le="+Inf"} 5',
    "took_sum 8.6",
    "took_count 5",
    "",
  ]);
});

test.each([{ a: "1" }, { a: "1", c: "2" }, { a: "1", b: "9", c: "2" }, {}])(
  "labels that are others are a fault: %o",
  (labels) => {
    const counter = createCounter(new Registry(), { ...about, name: "calls_total" });
    expect(() => counter.inc(labels)).toThrow("a, b");
  },
);
