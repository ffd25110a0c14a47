/** A map a net drew: `data` row by row, `width` x `height` cells. */
export interface CellMap {
  readonly width: number;
  readonly height: number;
  readonly data: Float32Array;
}

/** Cells that hang together: their indexes into the map, and the sum of their values. */
export interface Component {
  readonly cells: readonly number[];
  readonly mass: number;
}

/** Groups of cells over `threshold` that touch by an edge or a corner, heaviest first; those under `leastMass` are left out. */
export function findComponents(map: CellMap, threshold: number, leastMass: number): Component[] {
  const { width, height, data } = map;
  const seen = new Uint8Array(width * height);
  const found: Component[] = [];
  for (let start = 0; start < data.length; start++) {
    if (seen[start] === 1 || (data[start] ?? 0) <= threshold) continue;
    const cells = flood(map, start, threshold, seen);
    const mass = cells.reduce((sum, cell) => sum + (data[cell] ?? 0), 0);
    if (mass >= leastMass) found.push({ cells, mass });
  }
  return found.sort((a, b) => b.mass - a.mass);
}

function flood(map: CellMap, start: number, threshold: number, seen: Uint8Array): number[] {
  const { width, height, data } = map;
  const cells = [start];
  seen[start] = 1;
  for (let i = 0; i < cells.length; i++) {
    const cell = cells[i] ?? 0;
    const x = cell % width;
    const y = (cell - x) / width;
    for (let ny = Math.max(0, y - 1); ny <= Math.min(height - 1, y + 1); ny++) {
      for (let nx = Math.max(0, x - 1); nx <= Math.min(width - 1, x + 1); nx++) {
        const next = ny * width + nx;
        if (seen[next] === 1 || (data[next] ?? 0) <= threshold) continue;
        seen[next] = 1;
        cells.push(next);
      }
    }
  }
  return cells;
}

/** Logits to probabilities, in place of one channel of a net's output. */
export function probabilities(logits: Float32Array, channel: number, width: number, height: number): CellMap {
  const size = width * height;
  const data = new Float32Array(size);
  for (let i = 0; i < size; i++) data[i] = 1 / (1 + Math.exp(-(logits[channel * size + i] ?? 0)));
  return { width, height, data };
}
