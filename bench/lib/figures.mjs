/** The middle of a few measurements; of an even number, the mean of the two in the middle. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** @param share 0.95 for the value that 95 % do not exceed */
export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** Most of these moments that lie within one second. @param timesMs in order */
export function fullestSecond(timesMs) {
  let most = 0;
  let from = 0;
  for (let i = 0; i < timesMs.length; i++) {
    while (timesMs[from] <= timesMs[i] - 1000) from++;
    most = Math.max(most, i - from + 1);
  }
  return most;
}

export function round(value, digits = 2) {
  return Number(value.toFixed(digits));
}

export function percent(share) {
  return `${(100 * share).toFixed(1)} %`;
}

/** Two things measured in turn, a few times over, so that the machine's moods meet both. */
export async function alternate(rounds, measureA, measureB) {
  const a = [];
  const b = [];
  for (let i = 0; i < rounds; i++) {
    a.push(await measureA(i));
    b.push(await measureB(i));
  }
  return [a, b];
}

/** The median of the rounds' ratios, each of two measurements that followed one another. */
export function medianRatio(above, below, figureOf) {
  return median(above.map((its, i) => figureOf(its) / figureOf(below[i])));
}
