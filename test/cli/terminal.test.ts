import { stripVTControlCharacters } from "node:util";
import { describe, expect, test } from "vitest";
import { createPaint } from "../../src/cli/terminal.js";
import { fakeTerminal } from "./fake-terminal.js";

describe("createTerminal", () => {
  test("messages and log lines go above the live line, data to stdout", () => {
    const { terminal, screen, data } = fakeTerminal();
    terminal.live("1/3");
    terminal.message("first");
    terminal.live("2/3");
    terminal.raw("log\n");
    terminal.data("{}");
    expect(screen()).toEqual(["first", "log", "2/3"]);
    terminal.live(null);
    terminal.message("last");
    expect(screen()).toEqual(["first", "log", "last", ""]);
    expect(data()).toBe("{}\n");
  });

  test("a shorter live line leaves nothing of a longer one", () => {
    const { terminal, screen } = fakeTerminal();
    terminal.live("a long line");
    terminal.live("short");
    expect(screen()).toEqual(["short"]);
  });

  test.each([
    ["no terminal", { isTTY: false }],
    ["a dumb one", { env: { TERM: "dumb" } }],
  ])("%s has no live line and no escapes", (_, look) => {
    const { terminal, written } = fakeTerminal(look);
    terminal.live("1/3");
    terminal.message("m");
    terminal.live(null);
    expect(written()).toBe("m\n");
    expect(terminal.color).toBe(false);
  });

  test.each<[Record<string, string>, boolean]>([
    [{}, true],
    [{ NO_COLOR: "" }, true],
    [{ NO_COLOR: "1" }, false],
    [{ NO_COLOR: "0" }, false],
  ])("colour with %o: %s", (env, color) => {
    expect(fakeTerminal({ env }).terminal.color).toBe(color);
  });

  test("one that does not know its width has 80 columns", () => {
    expect(fakeTerminal({ columns: 0 }).terminal.columns()).toBe(80);
    expect(fakeTerminal({ columns: 132 }).terminal.columns()).toBe(132);
  });
});

test("createPaint paints only in colour", () => {
  for (const paint of Object.values(createPaint(false))) expect(paint("x")).toBe("x");
  for (const paint of Object.values(createPaint(true))) {
    expect(paint("x")).not.toBe("x");
    expect(stripVTControlCharacters(paint("x"))).toBe("x");
  }
});
