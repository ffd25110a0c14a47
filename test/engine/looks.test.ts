import { describe, expect, it } from "vitest";
import type { Point, Quad } from "../../src/domain/geometry.js";
import { alongLine, movedDown, OTHER_LOOKS, SIDEWAYS, scaled } from "../../src/engine/looks.js";

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

describe("the looks", () => {
  it("each give a place for every card, and none looks twice at the same", () => {
    const line: Quad = [at(10, 28), at(90, 28), at(90, 34), at(10, 34)];
    const seen = { places: [place], lines: [line] };
    const all = [...OTHER_LOOKS, ...SIDEWAYS].flatMap((look) => look(seen));
    expect(all).toHaveLength(OTHER_LOOKS.length + SIDEWAYS.length);
    expect(new Set([place, ...all].map((p) => JSON.stringify(p))).size).toBe(all.length + 1);
  });
});
