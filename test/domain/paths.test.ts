import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { relativeInside } from "../../src/domain/paths.js";

describe("relativeInside", () => {
  test.each([
    ["/in", "/in", ""],
    ["/in", "/in/a.jpg", "a.jpg"],
    ["/in/", "/in/a.jpg", "a.jpg"],
    ["/in", "/in/b/a.jpg", "b/a.jpg"],
    ["/", "/a.jpg", "a.jpg"],
    ["/", "/", ""],
    ["", "b/a.jpg", "b/a.jpg"],
    ["b", "b/a.jpg", "a.jpg"],
    ["/in", "/in-evil/a.jpg", null],
    ["/in", "/inn", null],
    ["/in", "/", null],
    ["/in/b", "/in/a.jpg", null],
    ["/In", "/in/a.jpg", null],
  ])("from %s to %s: %j", (folder, target, way) => {
    expect(relativeInside(folder, target)).toBe(way);
  });

  test("leads back to the target", () => {
    const path = fc
      .array(fc.stringMatching(/^[a-z.卡 -]{1,3}$/))
      .map((parts) => `/${parts.filter((p) => !/^\.+$/.test(p)).join("/")}`);
    fc.assert(
      fc.property(path, path, (folder, target) => {
        const way = relativeInside(folder, target);
        if (way !== null) expect(join(folder, way)).toBe(join(target));
        expect(relativeInside(folder, join(folder, "x", target))).toBe(join("x", target));
      }),
    );
  });
});
