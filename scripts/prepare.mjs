// Brings a clone to where it can run: packages installed as package-lock.json says, sources built. Does only what is
// needed, and one process at a time: `npm start` and `npm test` may be typed at once in one clone.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { acquireLock } from "../src/bootstrap/file-lock.mjs";

export const root = fileURLToPath(new URL("..", import.meta.url));
const INSTALLED_STAMP = join(root, "node_modules/.cardbatch-installed");
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;
const BUILT_STAMP = join(root, "dist/.built-from");

/** Installs and builds what is missing or out of date. Ends the process with 3 when that fails. */
export function prepare() {
  return alone(() => {
    install();
    build();
  });
}

/** Builds what is out of date. A build that leaves files but has errors is good enough for who asks for `tolerant`. */
export function prepareBuild({ tolerant = false } = {}) {
  return alone(() => build({ tolerant }));
}

async function alone(work) {
  mkdirSync(join(root, ".cache"), { recursive: true });
  const release = await acquireLock(join(root, ".cache/prepare"), {
    onWait: (pid) => console.error(`waiting for process ${pid}, which is installing or building here …`),
  });
  try {
    work();
  } finally {
    release();
  }
}

function install() {
  const wanted = hash([join(root, "package-lock.json")]);
  if (readOr(INSTALLED_STAMP, "") === wanted || isInstalled()) return;
  console.error("installing the packages (npm ci) …");
  rmSync(INSTALLED_STAMP, { force: true });
  const flags = ["--include=dev", "--include=optional", "--prefer-offline", "--no-audit", "--no-fund"];
  let result = npm(["ci", ...flags]);
  if (result.status !== 0 && result.output.includes("EUSAGE")) {
    // The registry has other packages of some platform than the lock file names; then npm 11 refuses the lock file.
    console.error("npm ci refuses package-lock.json as it stands; trying npm install …");
    result = npm(["install", "--no-save", ...flags]);
  }
  if (result.status !== 0) giveUp("the packages could not be installed", result.output);
  writeFileSync(INSTALLED_STAMP, wanted);
}

/** npm leaves a record of what it installed. What is for other platforms or other C libraries need not be there. */
function isInstalled() {
  const installed = JSON.parse(readOr(join(root, "node_modules/.package-lock.json"), "{}")).packages;
  if (installed === undefined) return false;
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  return Object.entries(packages).every(
    ([path, { version, optional, os, cpu, libc }]) =>
      path === "" ||
      installed[path]?.version === version ||
      (optional && (libc !== undefined || isOther(os, process.platform) || isOther(cpu, process.arch))),
  );
}

function isOther(names, ours) {
  return names !== undefined && !names.includes(ours);
}

function build({ tolerant = false } = {}) {
  const sources = hash([
    ...filesUnder("src"),
    ...["tsconfig.json", "tsconfig.build.json"].map((name) => join(root, name)),
  ]);
  if (readOr(BUILT_STAMP, "") === sources) return;
  console.error("building …");
  rmSync(BUILT_STAMP, { force: true });
  const result = npm(["run", "build"]);
  if (result.status === 0) writeFileSync(BUILT_STAMP, sources);
  else if (!tolerant) giveUp("the sources could not be built", result.output);
}

/** The npm that runs us, or the one on PATH. */
function npm(args) {
  const script = process.env.npm_execpath;
  const [command, ...first] = script?.endsWith("npm-cli.js") ? [process.execPath, script] : ["npm"];
  // onnxruntime-node's install script fetches GPU libraries that nothing here uses.
  const quiet = { npm_config_loglevel: "error", npm_config_cache: npmCache() };
  const env = { ...process.env, ...quiet, ONNXRUNTIME_NODE_INSTALL: "skip" };
  const options = { cwd: root, env, encoding: "utf8", maxBuffer: MAX_OUTPUT_BYTES };
  const result = spawnSync(command, [...first, ...args], options);
  return { status: result.status, output: `${result.error ?? ""}${result.stdout ?? ""}${result.stderr ?? ""}` };
}

/** npm fails without a cache folder that it can write to, as where HOME is empty, missing or read-only. */
function npmCache() {
  const usual = process.env.npm_config_cache ?? join(homedir(), ".npm");
  try {
    mkdirSync(usual, { recursive: true });
    accessSync(usual, constants.W_OK);
    return usual;
  } catch {
    return join(root, ".cache/npm");
  }
}

function filesUnder(folder) {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

function hash(files) {
  const digest = createHash("sha256");
  for (const file of files) {
    digest.update(`${file.slice(root.length)}\n`);
    digest.update(readFileSync(file));
  }
  return digest.digest("hex");
}

function readOr(file, otherwise) {
  return existsSync(file) ? readFileSync(file, "utf8") : otherwise;
}

function giveUp(what, output) {
  console.error(`${output.trimEnd()}\n\n${what}; the lines above say why.`);
  process.exit(3);
}
