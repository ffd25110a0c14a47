import { createGrowing } from "./growing.js";

export interface ImageCount {
  readonly calls: number;
  readonly answered: number;
  readonly billable: number;
}

/** What happened to each picture. Pictures have numbers, from 1; 0 stands for none. */
export interface ImageCounts {
  /** @param digest SHA-256 of the picture's bytes */
  numberOf(digest: Buffer): number;
  keyOf(number: number): string | null;
  add(number: number, what: keyof ImageCount, by: number): void;
  entries(): Iterable<readonly [key: string, count: ImageCount]>;
  readonly size: number;
}

export function createImageCounts(): ImageCounts {
  /** Digests as binary strings: a byte a character. */
  const digests: string[] = [""];
  const numbers = new Map<string, number>();
  const create = () => createGrowing((length) => new Int32Array(length));
  const columns = { calls: create(), answered: create(), billable: create() };
  const keyOf = (number: number) => `sha256:${Buffer.from(digests[number] ?? "", "latin1").toString("hex")}`;
  return {
    numberOf(digest) {
      const text = digest.toString("latin1");
      const known = numbers.get(text);
      if (known !== undefined) return known;
      numbers.set(text, digests.length);
      return digests.push(text) - 1;
    },
    keyOf: (number) => (number === 0 ? null : keyOf(number)),
    add(number, what, by) {
      columns[what].set(number, columns[what].get(number) + by);
    },
    *entries() {
      const { calls, answered, billable } = columns;
      for (let number = 1; number < digests.length; number++) {
        const count = { calls: calls.get(number), answered: answered.get(number), billable: billable.get(number) };
        yield [keyOf(number), count];
      }
    },
    get size() {
      return numbers.size;
    },
  };
}
