/** Digests kept at the most: 18 MB. */
const MOST_KEPT = 1 << 20;
const FIRST_ROOM = 1 << 12;

/** How many different things were counted, by kind. */
export interface DistinctCounts<Kind extends string> {
  readonly total: number;
  readonly distinct: number;
  readonly byKind: Readonly<Record<Kind, number>>;
  /** Whether these are exact; otherwise they are estimates, right to about 0.1 %. */
  readonly exact: boolean;
}

/**
 * Counts different things by their digests in bounded memory. Up to a million it knows them all; from there on it keeps
 * those whose digests begin with n zero bits, and takes each for 2^n (adaptive sampling, Wegman; Flajolet 1990).
 */
export class DistinctCounter<Kind extends string> {
  readonly #kinds: readonly Kind[];
  readonly #mostKept: number;
  #digests = new BigUint64Array(FIRST_ROOM);
  #kindOf = new Uint8Array(FIRST_ROOM);
  #kept = 0;
  #zeros = 0;
  #total = 0;

  constructor(kinds: readonly Kind[], mostKept = MOST_KEPT) {
    this.#kinds = kinds;
    this.#mostKept = mostKept;
  }

  /** @param digest 64 evenly spread bits @param kind what it counts as if it is new */
  add(digest: bigint, kind: Kind): void {
    this.#total++;
    if (!this.#isSampled(digest)) return;
    // Zero marks an empty place.
    this.#insert(digest === 0n ? 1n : digest, this.#kinds.indexOf(kind));
    while (this.#kept > this.#mostKept) {
      this.#zeros++;
      this.#rebuild(this.#digests.length);
    }
    if (this.#kept * 2 > this.#digests.length) this.#rebuild(this.#digests.length * 2);
  }

  counts(): DistinctCounts<Kind> {
    const kept = new Array<number>(this.#kinds.length).fill(0);
    for (const [place, digest] of this.#digests.entries()) {
      const kind = this.#kindOf[place] ?? 0;
      if (digest !== 0n) kept[kind] = (kept[kind] ?? 0) + 1;
    }
    const scale = 2 ** this.#zeros;
    const byKind = Object.fromEntries(this.#kinds.map((kind, i) => [kind, (kept[i] ?? 0) * scale]));
    const distinct = Math.min(this.#kept * scale, this.#total);
    return { total: this.#total, distinct, byKind: byKind as Record<Kind, number>, exact: this.#zeros === 0 };
  }

  #isSampled(digest: bigint): boolean {
    return this.#zeros === 0 || digest >> BigInt(64 - this.#zeros) === 0n;
  }

  #insert(digest: bigint, kind: number): void {
    const last = BigInt(this.#digests.length - 1);
    // The first bits say whether it is kept, so the last ones say where.
    let place = Number(digest & last);
    for (; this.#digests[place] !== 0n; place = (place + 1) & Number(last)) {
      if (this.#digests[place] === digest) return;
    }
    this.#digests[place] = digest;
    this.#kindOf[place] = kind;
    this.#kept++;
  }

  #rebuild(room: number): void {
    const [digests, kinds] = [this.#digests, this.#kindOf];
    this.#digests = new BigUint64Array(room);
    this.#kindOf = new Uint8Array(room);
    this.#kept = 0;
    for (const [place, digest] of digests.entries()) {
      if (digest !== 0n && this.#isSampled(digest)) this.#insert(digest, kinds[place] ?? 0);
    }
  }
}
