// `npm test`: installs and builds what is needed, then checks and tests. `npm test -- <filter>` runs only the tests that
// match. The last line counts: a check counts as a test, a file that cannot be loaded as a failed one.
import { requireNode } from "./require-node.mjs";

requireNode();
const { spawnSync } = await import("node:child_process");
const { mkdtempSync, readFileSync, rmSync } = await import("node:fs");
const { tmpdir } = await import("node:os");
const { join, relative } = await import("node:path");
const { prepare, root } = await import("./prepare.mjs");

await prepare();
const filters = process.argv.slice(2);
const checks = filters.length > 0 ? [] : runChecks();
const tests = runTests(filters);
for (const name of tests.skipped) console.log(`left out: ${name}`);
const passed = checks.filter((ok) => ok).length + tests.passed;
const failed = checks.filter((ok) => !ok).length + tests.failed;
console.log(`${passed} passed, ${failed} failed, ${tests.skipped.length} skipped`);
process.exitCode = failed === 0 ? 0 : 1;

function runChecks() {
  const bin = (name) => join(root, "node_modules/.bin", name);
  return [
    ["types", bin("tsc"), "-p", "tsconfig.json"],
    ["style", bin("biome"), "check", "."],
    ["layers", process.execPath, "scripts/check-layers.mjs"],
  ].map(([name, command, ...args]) => {
    const { status, stdout, stderr } = spawnSync(command, args, { cwd: root, encoding: "utf8" });
    console.log(`check ${name}: ${status === 0 ? "ok" : "FAILED"}`);
    if (status !== 0) console.log(`${stdout}${stderr}`);
    return status === 0;
  });
}

function runTests(filters) {
  const folder = mkdtempSync(join(tmpdir(), "cardbatch-test-"));
  const report = join(folder, "report.json");
  try {
    const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
    const vitest = [join(root, "node_modules/vitest/vitest.mjs"), "run", ...reporters, ...filters];
    const { status } = spawnSync(process.execPath, vitest, { cwd: root, stdio: "inherit" });
    return count(readReport(report), status);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function readReport(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8")).testResults;
  } catch {
    return []; // vitest did not get as far as to write one; its status says so
  }
}

function count(files, status) {
  const tests = files.flatMap(({ name, assertionResults }) =>
    assertionResults.map((test) => ({ status: test.status, name: `${relative(root, name)}: ${test.fullName}` })),
  );
  const passed = tests.filter((test) => test.status === "passed").length;
  const skipped = tests.filter((test) => !["passed", "failed"].includes(test.status)).map((test) => test.name);
  const unloaded = files.filter((file) => file.status === "failed" && file.assertionResults.length === 0).length;
  const failed = tests.filter((test) => test.status === "failed").length + unloaded;
  return { passed, skipped, failed: failed === 0 && status !== 0 ? 1 : failed };
}
