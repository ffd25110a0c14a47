import { describe, expect, it } from "vitest";
import type { Point, Quad } from "../../src/domain/geometry.js";
import { alongLine, movedDown, OTHER_LOOKS, partsAround, SIDEWAYS, scaled, squared } from "../../src/engine/looks.js";

const at = (x: number, y: number): Point => ({ x, y });
const outline = [at(0, 10), at(100, 10), at(100, 60), at(0, 60)];
const place = { center: at(50, 30), angle: 0, outline, lineLength: 70 };

describe("movedDown", () => {
  it.each([
    [0, 0.3, at(50, 45)],
    [Math.PI / 2, 0.25, at(25, 30)],
  ])("moves a card that reads along %f by a share of its height", (angle, share, center) => {
    const moved = movedDown({ ...place, angle }, share);
    expect(moved.center.x).toBeCloseTo(center.x, 6);
    expect(moved.center.y).toBeCloseTo(center.y, 6);
    expect(moved.outline[0]?.x).toBeCloseTo(center.x - 50, 6);
    expect(moved.lineLength).toBeNull();
  });

  it("leaves a place without a card where it is", () => {
    expect(movedDown({ ...place, outline: [] }, 0.3)).toMatchObject({ center: place.center, outline: [] });
  });
});

describe("scaled", () => {
  it("shrinks a card about the number, not about its middle", () => {
    expect(scaled(place, 0.5)).toMatchObject({
      center: place.center,
      outline: [at(25, 20), at(75, 20), at(75, 45), at(25, 45)],
    });
  });
});

describe("alongLine", () => {
  it("stands on the line's middle, reads along it, and is as long", () => {
    const standing: Quad = [at(20, 0), at(20, 60), at(12, 60), at(12, 0)];
    const { center, angle, lineLength } = alongLine(standing);
    expect(center).toEqual(at(16, 30));
    expect(angle).toBeCloseTo(Math.PI / 2, 9);
    expect(lineLength).toBe(60);
  });
});

describe("squared", () => {
  const turned = (angle: number): Point[] => {
    const [c, s] = [Math.cos(angle), Math.sin(angle)];
    return outline.map(({ x, y }) => at(x * c - y * s, x * s + y * c));
  };

  it.each([
    [0.5, 0.1, 0.5],
    [0.5, 1.9, 0.5 + Math.PI / 2],
    [-0.4, Math.PI, Math.PI - 0.4],
  ])("turns a card that lies at %f and was taken to read along %f", (lies, taken, angle) => {
    const [found] = squared({ ...place, outline: turned(lies), angle: taken });
    expect(found?.angle).toBeCloseTo(angle, 6);
  });

  it("has nothing to add where the card was seen so already, or not at all", () => {
    expect(squared({ ...place, angle: 0.05 })).toEqual([]);
    expect(squared({ ...place, outline: [], angle: 0.7 })).toEqual([]);
  });
});

describe("partsAround", () => {
  it("gives parts a little larger and smaller than each card", () => {
    const empty = { ...place, outline: [] };
    const parts = partsAround([empty, place]);
    expect(parts).toHaveLength(2);
    for (const [i, share] of [1.3, 0.75].entries()) {
      expect(parts[i]?.width).toBeCloseTo(100 * share, 9);
      expect(parts[i]?.left).toBeCloseTo(50 - 50 * share, 9);
      expect(parts[i]?.top).toBeCloseTo(35 - 25 * share, 9);
    }
  });
});

describe("the looks", () => {
  it("each give a place for every card, and none looks twice at the same", () => {
    const line: Quad = [at(10, 28), at(90, 28), at(90, 34), at(10, 34)];
    const seen = { places: [{ ...place, angle: 0.2 }], lines: [line] };
    const all = [...OTHER_LOOKS, ...SIDEWAYS].flatMap((look) => look(seen));
    expect(all).toHaveLength(OTHER_LOOKS.length + SIDEWAYS.length);
    expect(new Set([...seen.places, ...all].map((p) => JSON.stringify(p))).size).toBe(all.length + 1);
  });
});
