import type { Metric, Registry } from "prom-client";

/**
 * Counters and histograms that are counted for every image. prom-client's own sort and hash the labels each time, which is most of what
 * metrics cost; these look their values up, and its registry writes them down all the same.
 */
export interface Counter {
  /** @param labels a value for each; `{}` where there are none · @param by how much @default 1 */
  inc(labels: LabelValues, by?: number): void;
}

export interface Histogram {
  observe(labels: LabelValues, value: number): void;
}

export type LabelValues = Readonly<Record<string, string>>;

export interface TallyOptions {
  readonly name: string;
  readonly help: string;
  /** Their names, in the order that they are looked up. */
  readonly labels: readonly string[];
  /** Combinations that are there from the start, at zero. */
  readonly known: readonly LabelValues[];
}

export function createCounter(registry: Registry, { labels: names, known, ...about }: TallyOptions): Counter {
  const children = createChildren(names, () => ({ value: 0 }));
  for (const labels of known) children.get(labels);
  register(registry, { ...about, type: "counter" }, () =>
    children.list().map(({ labels, its }) => ({ labels, value: its.value })),
  );
  return {
    inc: (labels, by = 1) => {
      children.get(labels).value += by;
    },
  };
}

/** @param buckets their upper bounds, in order */
export function createHistogram(
  registry: Registry,
  { labels: names, known, ...about }: TallyOptions,
  buckets: readonly number[],
): Histogram {
  const children = createChildren(names, () => ({ counts: buckets.map(() => 0), sum: 0, count: 0 }));
  for (const labels of known) children.get(labels);
  register(registry, { ...about, type: "histogram" }, () =>
    children.list().flatMap(({ labels, its: { counts, sum, count } }) => {
      let below = 0;
      const part = (suffix: string, value: number, le?: string) => ({
        metricName: `${about.name}_${suffix}`,
        labels: le === undefined ? labels : { le, ...labels },
        value,
      });
      return [
        ...buckets.map((bound, i) => {
          below += counts[i] ?? 0;
          return part("bucket", below, String(bound));
        }),
        part("bucket", count, "+Inf"),
        part("sum", sum),
        part("count", count),
      ];
    }),
  );
  return {
    observe: (labels, value) => {
      const its = children.get(labels);
      const bucket = buckets.findIndex((bound) => value <= bound);
      if (bucket >= 0) its.counts[bucket] = (its.counts[bucket] ?? 0) + 1;
      its.sum += value;
      its.count++;
    },
  };
}

interface Node<T> {
  readonly inner: Map<string, Node<T>>;
  its: T | null;
}

/** What is kept for each combination of labels' values. */
function createChildren<T>(names: readonly string[], make: () => T) {
  const root: Node<T> = { inner: new Map(), its: null };
  const all: { readonly labels: LabelValues; readonly its: T }[] = [];
  const add = (labels: LabelValues): T => {
    if (Object.keys(labels).length !== names.length || names.some((name) => typeof labels[name] !== "string")) {
      throw new TypeError(`a metric has the labels ${names.join(", ")}; got ${Object.keys(labels).join(", ")}`);
    }
    const its = make();
    all.push({ labels: { ...labels }, its });
    return its;
  };
  const get = (labels: LabelValues): T => {
    let at = root;
    for (const name of names) {
      const value = labels[name] ?? "";
      at = at.inner.get(value) ?? grow(at, value);
    }
    at.its ??= add(labels);
    return at.its;
  };
  return { get, list: () => all };
}

function grow<T>(at: Node<T>, value: string): Node<T> {
  const next: Node<T> = { inner: new Map(), its: null };
  at.inner.set(value, next);
  return next;
}

interface About {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "histogram";
}

interface Sample {
  readonly metricName?: string;
  readonly labels: LabelValues;
  readonly value: number;
}

/** The registry asks a metric for nothing else; its types ask for prom-client's own classes. */
function register(registry: Registry, about: About, values: () => readonly Sample[]): void {
  const metric = { ...about, get: async () => ({ ...about, values: values() }) };
  registry.registerMetric(metric as unknown as Metric);
}
