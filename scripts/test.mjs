// `npm test`: installs and builds what is needed, then checks and tests. `npm test -- <filter>` runs only the tests that
// match. The last line counts: a check counts as a test, a file that cannot be loaded as a failed one.
import { requireNode } from "./require-node.mjs";

requireNode();
const { spawn } = await import("node:child_process");
const { once } = await import("node:events");
const { mkdtempSync, readFileSync, rmSync } = await import("node:fs");
const { tmpdir } = await import("node:os");
const { join } = await import("node:path");
const { prepare, root } = await import("./prepare.mjs");

const CHECKS = {
  types: ["node_modules/.bin/tsc", "-p", "tsconfig.json"],
  style: ["node_modules/.bin/biome", "check", "."],
  layers: [process.execPath, "scripts/check-layers.mjs"],
};

await prepare();
const filters = process.argv.slice(2);
const checks = filters.length > 0 ? [] : await runChecks();
const tests = await runTests(filters);
for (const name of tests.skipped) console.log(`left out: ${name}`);
const passed = checks.filter((ok) => ok).length + tests.passed;
const failed = checks.filter((ok) => !ok).length + tests.failed;
console.log(`${passed} passed, ${failed} failed, ${tests.skipped.length} skipped`);
process.exitCode = failed === 0 ? 0 : 1;

async function runChecks() {
  const outcomes = [];
  for (const [name, command] of Object.entries(CHECKS)) {
    console.log(`checking ${name} …`);
    const ok = (await run(command)) === 0;
    if (!ok) console.log(`check ${name} failed`);
    outcomes.push(ok);
  }
  return outcomes;
}

async function runTests(filters) {
  const folder = mkdtempSync(join(tmpdir(), "cardbatch-test-"));
  const file = join(folder, "counts.json");
  try {
    const reporters = ["--reporter=default", "--reporter=./scripts/count-reporter.mjs"];
    const vitest = [process.execPath, "node_modules/vitest/vitest.mjs", "run", ...reporters, ...filters];
    const status = await run(vitest, { CARDBATCH_TEST_COUNTS: file });
    const counts = readCounts(file);
    return { ...counts, failed: counts.failed === 0 && status !== 0 ? 1 : counts.failed };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Runs to the end; who ends this process ends the program, too. */
async function run([command, ...args], env = {}) {
  const child = spawn(command, args, { cwd: root, env: { ...process.env, ...env }, stdio: "inherit" });
  const forward = (signal) => child.kill(signal);
  process.on("SIGTERM", forward);
  const [status] = await once(child, "exit");
  process.off("SIGTERM", forward);
  return status;
}

function readCounts(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return { passed: 0, failed: 0, skipped: [] }; // vitest did not get as far as to count; its status says so
  }
}
