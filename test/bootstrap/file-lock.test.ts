import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { acquireLock } from "../../src/bootstrap/file-lock.mjs";
import { processMark } from "../../src/bootstrap/process-mark.mjs";

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "cardbatch-lock-"));
  path = join(folder, "lock");
});

afterEach(() => rm(folder, { recursive: true }));

describe("a lock left behind", () => {
  const mark = processMark(process.pid) ?? "";
  const started = mark.slice(mark.indexOf(" "));
  it.each([
    ["released", "released"],
    ["by a process that is gone", `4194400${started}`],
    ["by an earlier process with a pid that lives again", `${process.pid} 1${started}`],
    ["before the last boot", `${mark.slice(0, -4)}0000`],
    ["with nonsense in it", "nonsense"],
  ])("%s is free", async (_, content) => {
    await writeFile(`${path}.7`, content);
    const release = await acquireLock(path, { signal: AbortSignal.timeout(1000) });
    release();
    expect(await readdir(folder)).toEqual(["lock.8"]);
  });

  it("half-written is free once it is old", async () => {
    await writeFile(`${path}.1`, "");
    await expect(acquireLock(path, { signal: AbortSignal.timeout(100) })).rejects.toThrow(/timeout/);
    await utimes(`${path}.1`, new Date(0), new Date(0));
    (await acquireLock(path))();
  });
});

it("waits for its holder, names it, and gives up when told", async () => {
  const release = await acquireLock(path);
  await expect(acquireLock(path, { signal: AbortSignal.timeout(150) })).rejects.toThrow(/timeout/);
  let waiting = Promise.resolve(() => {});
  const holder = await new Promise((onWait) => {
    waiting = acquireLock(path, { onWait });
  });
  expect(holder).toBe(process.pid);
  release();
  (await waiting)();
});

it("releases quietly when its folder was removed", async () => {
  await mkdir(join(folder, "below"));
  const release = await acquireLock(join(folder, "below/lock"));
  await rm(join(folder, "below"), { recursive: true });
  expect(release).not.toThrow();
  expect(await readdir(folder)).toEqual([]);
});

it("admits one of twenty processes at a time, five of which are killed inside", async () => {
  await writeFile(`${path}.3`, "1 2 stale");
  const users = Array.from({ length: 20 }, (_, index) => (index < 5 ? runUser(3, "die") : runUser(5)));
  const outputs = await Promise.all(users);
  expect(outputs.join("")).toBe("");
  expect(await readFile(join(folder, "counter"), "utf8")).toBe(String(5 * 3 + 15 * 5));
}, 60_000);

function runUser(turns: number, die = ""): Promise<string> {
  const script = fileURLToPath(new URL("lock-user.mjs", import.meta.url));
  return new Promise((resolve) => {
    execFile(process.execPath, [script, folder, String(turns), die], (_, stdout, stderr) => resolve(stdout + stderr));
  });
}
