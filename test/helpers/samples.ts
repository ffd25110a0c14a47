/** The samples of Prometheus' text format, by name and labels without the prefix `cardbatch_`. */
export function parseSamples(text: string): ReadonlyMap<string, number> {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => {
      const end = line.lastIndexOf(" ");
      return [line.slice(0, end).replace(/^cardbatch_/, ""), Number(line.slice(end))];
    }),
  );
}

/** What Prometheus' `sum()` over processes gives: of each label set, or with only a name of all of them. */
export function sumOf(processes: readonly ReadonlyMap<string, number>[], name: string): number {
  const isMeant = (sample: string) => sample === name || sample.startsWith(`${name}{`);
  return processes
    .flatMap((samples) => [...samples].filter(([sample]) => isMeant(sample)))
    .reduce((sum, [, value]) => sum + value, 0);
}
