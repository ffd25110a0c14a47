import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { watchHealth } from "../../src/queue/redis-health.js";
import { describeTrouble, isConnectionError, isRefusal } from "../../src/queue/redis-trouble.js";

function replyError(message: string): Error {
  const error = new Error(message);
  error.name = "ReplyError";
  return error;
}

function systemError(code: string): Error {
  return Object.assign(new Error(`connect ${code}`), { code, syscall: "connect" });
}

describe("trouble", () => {
  it.each([
    ["OOM command not allowed when used memory > 'maxmemory'. script: 1, on @user_script:1.", "Redis is full"],
    ["ERR Error running script: @user_script:12: -OOM command not allowed", "Redis is full"],
    ["READONLY You can't write against a read only replica.", "it is a replica"],
    ["MISCONF Redis is configured to save RDB snapshots, but it's currently unable to", "cannot save"],
    ["LOADING Redis is loading the dataset in memory", "loading"],
  ])("that passes is told from mistakes: %s", (message, says) => {
    expect(isRefusal(replyError(message))).toBe(true);
    expect(describeTrouble(replyError(message))).toContain(says);
  });

  it.each(["ERR unknown command 'OOM'", "WRONGTYPE Operation against a key", "NOSCRIPT No matching script"])(
    "%s is a mistake",
    (message) => expect(isRefusal(replyError(message))).toBe(false),
  );

  it("of the line is known as such", () => {
    expect(isConnectionError(systemError("ECONNREFUSED"))).toBe(true);
    expect(describeTrouble(systemError("ECONNREFUSED"))).toContain("ECONNREFUSED");
    expect(isConnectionError(new Error("Connection is closed."))).toBe(true);
    expect(isConnectionError(new TypeError("x is not a function"))).toBe(false);
    expect(describeTrouble(new Error("Socket timeout."))).toBe("Redis does not answer");
  });
});

describe("health", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("says what is wrong, again while it lasts, and when it is over; and settles then", async () => {
    let written: () => void = () => {};
    const set = () => new Promise<"OK">((resolve) => (written = () => resolve("OK")));
    const told: (string | number)[] = [];
    const health = watchHealth({ set } as Parameters<typeof watchHealth>[0], "probe", {
      onTrouble: (what, forMs) => told.push(`${what} ${forMs}`),
      onBack: (afterMs) => told.push(afterMs),
    });
    expect(health.isSettling()).toBe(false);
    health.note(systemError("ECONNREFUSED"));
    health.note(systemError("ECONNREFUSED"));
    expect([health.isSettling(), health.isAway()]).toEqual([true, true]);
    await vi.advanceTimersByTimeAsync(29_000);
    health.note(replyError("OOM command not allowed"));
    await vi.advanceTimersByTimeAsync(1000);
    written();
    await vi.advanceTimersByTimeAsync(2000);
    expect(told).toEqual([
      "Redis cannot be reached (ECONNREFUSED) 0",
      expect.stringMatching(/^Redis is full.* 30000$/),
      30_000,
    ]);
    expect([health.isSettling(), health.isAway()]).toEqual([true, false]);
    await vi.advanceTimersByTimeAsync(4000);
    expect(health.isSettling()).toBe(false);
  });
});
