import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const project = fileURLToPath(new URL("../..", import.meta.url));
const COMMAND = `#!/usr/bin/env node
process.on("SIGTERM", () => process.exit(7));
console.log(JSON.stringify(process.argv.slice(2)));
if (process.argv.includes("wait")) setInterval(() => {}, 1000);
process.exitCode = process.argv.includes("fail") ? 4 : 0;
`;

let clone: string;

/** A clone with the real scripts, a command that prints its arguments, and the packages of this one, linked. */
beforeAll(() => {
  clone = mkdtempSync(join(tmpdir(), "cardbatch clone ü"));
  for (const name of ["scripts", "tsconfig.json", "tsconfig.build.json", "package.json", "biome.json"]) {
    cpSync(join(project, name), join(clone, name), { recursive: true });
  }
  for (const name of ["file-lock.mjs", "process-mark.mjs"]) {
    cpSync(join(project, "src/bootstrap", name), join(clone, "src/bootstrap", name));
  }
  write("src/cli/main.ts", COMMAND);
  const modules = join(project, "node_modules");
  for (const name of readdirSync(modules).filter((entry) => entry !== ".package-lock.json")) {
    mkdirSync(join(clone, "node_modules"), { recursive: true });
    symlinkSync(join(modules, name), join(clone, "node_modules", name));
  }
  const elsewhere = { version: "1.0.0", optional: true, cpu: ["none"] };
  const installed = { "node_modules/a": { version: "1.0.0" } };
  write("package-lock.json", JSON.stringify({ packages: { "": {}, ...installed, "node_modules/b": elsewhere } }));
  write("node_modules/.package-lock.json", JSON.stringify({ packages: installed }));
});

afterAll(() => rmSync(clone, { recursive: true }));

describe("npm start", () => {
  it("builds once, for two that are started at once", async () => {
    const [one, two] = await Promise.all([start("a", "b c"), start()]);
    expect(one).toMatchObject({ code: 0, stdout: '["run","a","b c"]\n' });
    expect(two).toMatchObject({ code: 0, stdout: '["demo"]\n' });
    expect(`${one.stderr}${two.stderr}`.match(/^building/gm)).toHaveLength(1);
  });

  it("hands the command's exit code on and builds no more", async () => {
    expect(await start("fail")).toEqual({ code: 4, stdout: '["run","fail"]\n', stderr: "" });
  });

  it("leaves signals to the command", async () => {
    const process = spawn("node", [join(clone, "scripts/start.mjs"), "wait"], { stdio: ["ignore", "pipe", "inherit"] });
    await once(process.stdout, "data");
    process.kill("SIGTERM");
    expect(await once(process, "exit")).toEqual([7, null]);
  });

  it("builds anew when a source has changed, and quotes the compiler when it cannot", async () => {
    write("src/cli/main.ts", `${COMMAND}const wrong: number = "text";\nconsole.log(wrong);\n`);
    const failed = await start();
    expect(failed).toMatchObject({ code: 3, stdout: "" });
    expect(failed.stderr).toMatch(/src\/cli\/main\.ts.* error TS2322[\s\S]*could not be built/);
    write("src/cli/main.ts", COMMAND.replace("slice(2)", "slice(3)"));
    expect(await start("x")).toEqual({ code: 0, stdout: '["x"]\n', stderr: "building …\n" });
  });
});

describe("npm test", () => {
  it("counts what ran, what failed to load and what was left out, on its last line", async () => {
    write(
      "test/a.test.ts",
      'import { it } from "vitest"; it("a", () => {}); it("b", () => { throw 1; }); it.skip("c");',
    );
    write("test/b.test.ts", 'import "./missing.js";');
    const { code, stdout } = await runScript("test.mjs", ["test/"]);
    expect(code).toBe(1);
    expect(stdout.trimEnd().split("\n").slice(-2)).toEqual([
      "left out: test/a.test.ts: c",
      "1 passed, 2 failed, 1 skipped",
    ]);
  });

  it("counts a failed check, too", async () => {
    write("test/a.test.ts", 'import { it } from "vitest";\n\nit("a", () => {});\n');
    rmSync(join(clone, "test/b.test.ts"));
    write("src/image/wrong.ts", 'export { name } from "../queue/other.js";\n');
    write("src/queue/other.ts", 'export const name = "";\n');
    const { code, stdout } = await runScript("test.mjs", []);
    expect(code).toBe(1);
    expect(stdout).toMatch(/check layers failed\n[\s\S]*\n3 passed, 1 failed, 0 skipped\n$/);
  });
});

const start = (...args: string[]) => runScript("start.mjs", args);

function runScript(name: string, args: string[]) {
  return new Promise<{ code: unknown; stdout: string; stderr: string }>((resolve) => {
    execFile("node", [join(clone, "scripts", name), ...args], { cwd: clone }, (error, stdout, stderr) => {
      resolve({ code: error?.code ?? 0, stdout, stderr });
    });
  });
}

function write(name: string, text: string): void {
  mkdirSync(dirname(join(clone, name)), { recursive: true });
  writeFileSync(join(clone, name), text);
}
