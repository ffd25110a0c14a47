import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, it } from "vitest";
import { isRunning, pidOf, processMark } from "../../src/bootstrap/process-mark.mjs";

it("knows a running process, also a stopped one, and not a dead one", async () => {
  const child = spawn("sleep", ["60"], { stdio: "ignore" });
  await once(child, "spawn");
  const mark = processMark(child.pid ?? 0) ?? "";
  expect(pidOf(mark)).toBe(child.pid);
  child.kill("SIGSTOP");
  expect(isRunning(mark)).toBe(true);
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(isRunning(mark)).toBe(false);
});

it("takes a zombie for dead", async () => {
  const parent = spawn("sh", ["-c", "sleep 0 & echo $!; exec sleep 60"]);
  const [line] = await once(parent.stdout, "data");
  await expect.poll(() => processMark(Number(line))).toBeNull();
  expect(() => process.kill(Number(line), 0)).not.toThrow();
  parent.kill("SIGKILL");
});

it.each(["", "nonsense", "-1 1 x", "0"])("takes %j for no process", (mark) => {
  expect(isRunning(mark)).toBe(false);
});
