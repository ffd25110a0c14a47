import { describe, expect, it } from "vitest";
import type { Point, Quad } from "../../src/domain/geometry.js";
import { type CellMap, findComponents } from "../../src/engine/components.js";
import { fitLine, fitShortLine, fitTornLine } from "../../src/engine/line-fit.js";
import type { Picture } from "../../src/engine/picture.js";
import { leaning, regrown, sameLine } from "../../src/engine/quads.js";
import { stripMatrix, windowOn } from "../../src/engine/rectify.js";
import { fitSides } from "../../src/engine/sides.js";
import { project, rectangleToQuad, warpInto } from "../../src/engine/warp.js";

const at = (x: number, y: number): Point => ({ x, y });

/** A map with a soft-edged shape: each cell holds the share of it that is covered. */
function mapOf(isInside: (x: number, y: number) => boolean): CellMap {
  const [width, rows, fine] = [96, 64, 6];
  const data = new Float32Array(width * rows);
  for (let i = 0; i < data.length; i++) {
    for (let k = 0; k < fine * fine; k++) {
      const x = (i % width) + ((k % fine) + 0.5) / fine;
      const y = Math.floor(i / width) + (Math.floor(k / fine) + 0.5) / fine;
      if (isInside(x, y)) data[i] = (data[i] ?? 0) + 1 / (fine * fine);
    }
  }
  return { width, height: rows, data };
}

/** A map with a rectangle, turned by `angle`. */
function mapWithLine(center: Point, length: number, height: number, angle: number): CellMap {
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  return mapOf((px, py) => {
    const [x, y] = [px - center.x, py - center.y];
    return Math.abs(x * c + y * s) < length / 2 && Math.abs(y * c - x * s) < height / 2;
  });
}

/** A map with a convex quad, its corners clockwise. */
function mapWithQuad(quad: Quad): CellMap {
  const sides = quad.map((from, i) => [from, quad[(i + 1) % 4] ?? from] as const);
  return mapOf((x, y) => sides.every(([p, q]) => (q.x - p.x) * (y - p.y) - (q.y - p.y) * (x - p.x) > 0));
}

describe("fitLine", () => {
  it.each([0, 0.12, -0.3, 1.2, Math.PI - 0.1])("finds a line turned by %f to a fraction of a cell", (angle) => {
    const map = mapWithLine(at(47.3, 31.8), 50, 5.4, angle);
    const [component] = findComponents(map, 0.2, 5);
    if (component === undefined) throw new Error("no component");
    const line = fitLine(map, component, angle + 0.2);
    expect(line.length).toBeCloseTo(50, -0.3);
    expect(Math.abs(line.length - 50)).toBeLessThan(1);
    expect(Math.abs(line.height - 5.4)).toBeLessThan(0.4);
    expect(Math.abs(line.angle - angle)).toBeLessThan(0.01);
    const [c, s] = [Math.cos(angle), Math.sin(angle)];
    const corner = at(47.3 - 25 * c + 2.7 * s, 31.8 - 25 * s - 2.7 * c);
    expect(Math.hypot(line.quad[0].x - corner.x, line.quad[0].y - corner.y)).toBeLessThan(0.7);
  });

  it("joins a line torn by glare, and leaves other lines alone", () => {
    const parts = [
      mapWithLine(at(25, 30), 30, 5, 0),
      mapWithLine(at(65, 30), 24, 5, 0),
      mapWithLine(at(40, 45), 20, 4, 0),
    ];
    const [whole] = parts;
    if (whole === undefined) throw new Error("no map");
    for (const part of parts.slice(1)) {
      for (const [i, value] of part.data.entries()) whole.data[i] = Math.max(whole.data[i] ?? 0, value);
    }
    const line = fitTornLine(whole, findComponents(whole, 0.2, 4), 0);
    expect(line?.length).toBeCloseTo(67, 0);
    expect(line?.height).toBeCloseTo(5, 0);
    expect(fitTornLine(whole, [], 0)).toBeNull();
  });

  it("lays a short line along the direction it is given, as high at either end", () => {
    const map = mapWithLine(at(47.3, 31.8), 14, 4.2, 0.1);
    // A blot at its end, as the masks of labels and glare leave them, would turn the line's own axis.
    for (const cell of [27 * 96 + 54, 28 * 96 + 54, 28 * 96 + 53]) map.data[cell] = 1;
    const [component] = findComponents(map, 0.2, 5);
    if (component === undefined) throw new Error("no component");
    const { quad, angle } = fitShortLine(map, component, 0.1);
    expect(angle).toBe(0.1);
    const side = (a: Point, b: Point): number => Math.hypot(a.x - b.x, a.y - b.y);
    expect(side(quad[0], quad[3])).toBeCloseTo(side(quad[1], quad[2]), 6);
    expect(Math.abs(side(quad[0], quad[3]) - 4.2)).toBeLessThan(0.6);
    expect(Math.abs(side(quad[0], quad[1]) - 14)).toBeLessThan(1);
  });

  it("reads the way it was asked to", () => {
    const map = mapWithLine(at(48, 32), 40, 5, 0);
    const [component] = findComponents(map, 0.2, 5);
    if (component === undefined) throw new Error("no component");
    expect(Math.abs(fitLine(map, component, 3).angle)).toBeCloseTo(Math.PI, 2);
  });
});

describe("fitSides", () => {
  it.each<[string, Quad]>([
    ["upright", [at(10, 10), at(80, 10), at(80, 54), at(10, 54)]],
    ["turned", [at(18, 8), at(86, 24), at(76, 60), at(8, 44)]],
    ["leaning", [at(28, 10), at(86, 12), at(68, 52), at(10, 50)]],
    ["seen from one end", [at(10, 6), at(82, 18), at(78, 46), at(14, 60)]],
  ])("finds the corners of a card %s to a cell", (_, quad) => {
    const map = mapWithQuad(quad);
    const [component] = findComponents(map, 0.25, 20);
    if (component === undefined) throw new Error("no component");
    const found = fitSides(map, component, 0.1);
    for (const [i, { x, y }] of quad.entries()) {
      expect(Math.hypot((found?.[i]?.x ?? 0) - x, (found?.[i]?.y ?? 0) - y)).toBeLessThan(1);
    }
  });

  it("finds none where there are no four", () => {
    const map = mapOf((x, y) => Math.abs(y - 32) < 4 || (Math.abs(x - 48) < 4 && y > 4));
    const [component] = findComponents(map, 0.25, 20);
    if (component === undefined) throw new Error("no component");
    expect(fitSides(map, component, 0)).toBeNull();
  });
});

describe("leaning", () => {
  const card: Quad = [at(40, 10), at(180, 25), at(160, 110), at(5, 120)];
  const onCard = rectangleToQuad(card, 0, 0, 85.6, 54);
  const placed = (x: number, y: number): Point => {
    const [px, py] = project(onCard, x, y);
    return at(px, py);
  };
  const line: Quad = [placed(8, 28), placed(77, 28), placed(77, 33), placed(8, 33)];

  /** The line as a mask shows it: its ends square to it. */
  function upright([a, b, c, d]: Quad): Quad {
    const end = (p: Point, q: Point, square: Point): [Point, Point] => {
      const half = ((q.x - p.x) * square.x + (q.y - p.y) * square.y) / 2;
      const [x, y] = [(p.x + q.x) / 2, (p.y + q.y) / 2];
      return [at(x - square.x * half, y - square.y * half), at(x + square.x * half, y + square.y * half)];
    };
    const [x, y] = [b.x + c.x - a.x - d.x, b.y + c.y - a.y - d.y];
    const square = at(-y / Math.hypot(x, y), x / Math.hypot(x, y));
    const [[ua, ud], [ub, uc]] = [end(a, d, square), end(b, c, square)];
    return [ua, ub, uc, ud];
  }

  it("gives a line's ends the slant of the card that it is printed on", () => {
    const off = (quad: Quad): number =>
      Math.max(...quad.map(({ x, y }, i) => Math.hypot(x - (line[i]?.x ?? 0), y - (line[i]?.y ?? 0))));
    expect(off(upright(line))).toBeGreaterThan(1);
    expect(off(leaning(upright(line), card))).toBeLessThan(0.4);
  });

  it("leaves a line alone that would lie down", () => {
    const flat: Quad = [at(0, 0), at(100, 0), at(190, 60), at(90, 60)];
    expect(leaning(upright(line), flat)).toEqual(upright(line));
  });
});

describe("sameLine", () => {
  const line = (x: number, y: number, length: number): Quad => [
    at(x, y),
    at(x + length, y),
    at(x + length, y + 10),
    at(x, y + 10),
  ];

  it.each<[string, boolean, Quad]>([
    ["a line cut at its end", true, line(100, 101, 30)],
    ["the same line", true, line(101, 99, 48)],
    ["the next date in the row", false, line(170, 100, 50)],
    ["the date below", false, line(100, 112, 50)],
  ])("tells %s: %s", (_, same, other) => {
    expect(sameLine(line(100, 100, 50), other)).toBe(same);
    expect(sameLine(other, line(100, 100, 50))).toBe(same);
  });
});

describe("regrown", () => {
  it("grows along a line whose ends lean", () => {
    const quad = regrown([at(5, 0), at(45, 0), at(40, 10), at(0, 10)], 0.5, 0, 0);
    expect(quad.map(({ x, y }) => [x, y])).toEqual([
      [0, 0],
      [50, 0],
      [45, 10],
      [-5, 10],
    ]);
  });

  it.each([0, 1.1, Math.PI])("grows and moves a line that reads along %f in its own heights", (angle) => {
    const turn = (x: number, y: number): Point =>
      at(x * Math.cos(angle) - y * Math.sin(angle), x * Math.sin(angle) + y * Math.cos(angle));
    const quad = regrown([turn(0, 0), turn(40, 0), turn(40, 10), turn(0, 10)], 0.5, 1, 0.2);
    const wanted = [turn(-5, -3), turn(45, -3), turn(45, 17), turn(-5, 17)];
    for (const [i, { x, y }] of wanted.entries()) {
      expect(quad[i]?.x).toBeCloseTo(x, 9);
      expect(quad[i]?.y).toBeCloseTo(y, 9);
    }
  });
});

describe("findComponents", () => {
  it("parts what does not touch and drops what is too light", () => {
    const map = { width: 8, height: 2, data: Float32Array.from([1, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0]) };
    expect(findComponents(map, 0.5, 1).map((c) => c.cells.length)).toEqual([3, 2]);
    expect(findComponents(map, 0.5, 2.5)).toHaveLength(1);
  });
});

describe("homographies", () => {
  const quad: Quad = [at(10, 20), at(110, 35), at(100, 70), at(8, 60)];

  it("take a rectangle's corners to the quad", () => {
    const m = rectangleToQuad(quad, 5, 7, 200, 30);
    const corners = [at(5, 7), at(205, 7), at(205, 37), at(5, 37)];
    corners.forEach((corner, i) => {
      const [x, y] = project(m, corner.x, corner.y);
      expect(x).toBeCloseTo(quad[i]?.x ?? Number.NaN, 6);
      expect(y).toBeCloseTo(quad[i]?.y ?? Number.NaN, 6);
    });
  });

  it("put a line into the middle of its strip", () => {
    const shape = { width: 384, height: 32, share: 0.72, side: 0.5 };
    const text = 32 * 0.72;
    const [x, y] = project(stripMatrix(quad, shape), text / 2, (32 - text) / 2);
    expect([x, y]).toEqual([expect.closeTo(10, 5), expect.closeTo(20, 5)]);
  });

  it("survive a quad without area", () => {
    const point: Quad = [at(3, 3), at(3, 3), at(3, 3), at(3, 3)];
    expect(project(rectangleToQuad(point, 0, 0, 10, 10), 5, 5).every(Number.isFinite)).toBe(true);
  });
});

describe("windowOn", () => {
  it("shows a turned card upright and whole", () => {
    const angle = 0.7;
    const [c, s] = [Math.cos(angle), Math.sin(angle)];
    const outline = [
      [-200, -100],
      [200, -100],
      [200, 150],
      [-200, 150],
    ].map(([u = 0, v = 0]) => at(500 + u * c - v * s, 400 + u * s + v * c));
    const { matrix, width, height } = windowOn({ center: at(500, 400), angle, outline, lineLength: 300 });
    expect([width, height]).toEqual([512, 320]);
    // The number's direction is the canvas's x axis, and the card keeps a margin of about 4 %.
    const [x0, y0] = project(matrix, 0, 0);
    const [x1, y1] = project(matrix, width, 0);
    expect(Math.atan2(y1 - y0, x1 - x0)).toBeCloseTo(angle, 6);
    expect(Math.hypot(x1 - x0, y1 - y0)).toBeGreaterThan(430);
  });

  it("makes do with the number alone", () => {
    const { matrix, width } = windowOn({ center: at(100, 100), angle: 0, outline: [], lineLength: 200 });
    expect(project(matrix, 0, 0)[0]).toBeLessThan(0);
    expect(project(matrix, width, 0)[0]).toBeGreaterThan(200);
  });
});

describe("warpInto", () => {
  const picture: Picture = {
    levels: [{ width: 2, height: 1, data: Uint8Array.from([10, 20, 30, 110, 120, 130]) }],
    scale: at(1, 1),
  };

  it("samples between pixels and repeats the edge", () => {
    const out = new Float32Array(3 * 3);
    warpInto(out, 0, picture, { matrix: [0.5, 0, 0, 0, 1, 0, 0, 0, 1], width: 3, height: 1 });
    expect([...out]).toEqual([10, 60, 110, 20, 70, 120, 30, 80, 130]);
    warpInto(out, 0, picture, { matrix: [100, 0, -100, 0, 1, 9, 0, 0, 1], width: 3, height: 1 });
    expect([...out.subarray(0, 3)]).toEqual([10, 10, 110]);
  });
});
