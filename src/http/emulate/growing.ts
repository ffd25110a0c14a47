/** Numbers in a row, packed: a million calls take megabytes, not hundreds of them. */
export interface Growing {
  get(index: number): number;
  set(index: number, value: number): void;
}

type Packed = Float64Array | Int32Array | Uint16Array | Uint8Array;

export function createGrowing<T extends Packed>(create: (length: number) => T): Growing {
  let values = create(1024);
  return {
    get: (index) => values[index] ?? 0,
    set(index, value) {
      if (index >= values.length) {
        const larger = create(Math.max(values.length * 2, index + 1));
        larger.set(values);
        values = larger;
      }
      values[index] = value;
    },
  };
}
