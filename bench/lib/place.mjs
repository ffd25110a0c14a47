import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Redis } from "ioredis";

const USAGE = new URL("report-usage.mjs", import.meta.url).href;

/** Within this time the emulator has told anything it is asked. */
const ANSWER_MS = 30_000;

/** Made up, for the emulator and for those who call it. */
export const ACCOUNT = { project: "bench-project", accessKey: "bench-access-key", secretKey: "bench-secret-key" };
/** The same account's for who cannot sign. */
export const TOKEN = "bench-token";
const ACCOUNT_SETTINGS = {
  CARDBATCH_HUAWEI_PROJECT_ID: ACCOUNT.project,
  CARDBATCH_HUAWEI_ACCESS_KEY: ACCOUNT.accessKey,
  CARDBATCH_HUAWEI_SECRET_KEY: ACCOUNT.secretKey,
};

/**
 * Where everything is measured: a temporary folder, a Redis of its own, and commands as processes of their own, so that
 * what each of them uses can be told.
 * @param world.entry the compiled command · world.redisUrl · world.folder · world.path the PATH variable
 */
export async function openPlace(world) {
  const redis = new Redis(world.redisUrl);
  const home = join(world.folder, "home");
  mkdirSync(home, { recursive: true });
  const running = new Set();
  const baseEnv = { PATH: world.path, HOME: home, REDIS_URL: world.redisUrl, CARDBATCH_LOG_LEVEL: "warn" };

  /** Starts a command or a script of this folder. */
  const spawnNode = (script, args, env) => {
    const usageFile = join(world.folder, `usage-${randomBytes(6).toString("hex")}.json`);
    const started = { ...baseEnv, ...ACCOUNT_SETTINGS, ...env, BENCH_USAGE_FILE: usageFile };
    const child = spawn(process.execPath, ["--import", USAGE, script, ...args], {
      cwd: world.folder,
      env: started,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const output = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"]) {
      child[name].setEncoding("utf8").on("data", (text) => {
        output[name] += text;
      });
    }
    const startedAt = performance.now();
    const done = once(child, "close").then(([code, signal]) => {
      running.delete(command);
      const usage = signal === "SIGKILL" ? null : JSON.parse(readFileSync(usageFile, "utf8"));
      return { code, signal, ...output, ms: performance.now() - startedAt, usage };
    });
    const command = { child, output, done, kill: (signal) => void child.kill(signal) };
    running.add(command);
    return command;
  };

  const start = (args, env = {}, entry = world.entry) => spawnNode(entry, args, env);
  const startScript = (name, options) =>
    spawnNode(fileURLToPath(new URL(`../plain/${name}`, import.meta.url)), [JSON.stringify(options)], {});
  /** To its end, which has to be a good one. */
  const finish = async (command) => {
    const finished = await command.done;
    if (finished.code !== 0) throw new Error(`a measured process ended with ${finished.code}:\n${finished.stderr}`);
    return finished;
  };

  const killAll = async () => {
    for (const { kill } of running) kill("SIGKILL");
    await Promise.allSettled([...running].map(({ done }) => done));
  };

  await finish(start(["keys", "init"]));
  return {
    folder: world.folder,
    path: world.path,
    redis,
    redisUrl: world.redisUrl,
    start,
    startScript,
    entry: world.entry,
    /** @param entry another compiled command than the one that is measured */
    run: (args, env, entry) => finish(start(args, env, entry)),
    runScript: (name, options) => finish(startScript(name, options)),
    startEmulator: (args) =>
      startEmulator(start(["emulate", "--answer", "fixed", ...args], { CARDBATCH_HUAWEI_TOKEN: TOKEN })),
    /** A compiled module of cardbatch, by its path in src. */
    load: (name) => import(pathToFileURL(join(dirname(world.entry), "..", name)).href),
    /** An empty Redis, as it was. */
    forget: async () => void (await redis.flushall()),
    jobsInWork: () => redis.llen("{cardbatch}:card-images:active"),
    redisCpuMs: async () => {
      const info = await redis.info("cpu");
      const seconds = [...info.matchAll(/^used_cpu_(?:sys|user)(?:_children)?:([\d.]+)/gm)].map((found) =>
        Number(found[1]),
      );
      return 1000 * seconds.reduce((sum, value) => sum + value, 0);
    },
    killAll,
    close: async () => {
      await killAll();
      redis.disconnect();
    },
  };
}

async function startEmulator(command) {
  await once(command.child.stdout, "data");
  const { listening: url } = JSON.parse(command.output.stdout.split("\n")[0]);
  const ask = async (path, body) => {
    const sent = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
    const response = await fetch(url + path, { ...sent, signal: AbortSignal.timeout(ANSWER_MS) });
    if (!response.ok) throw new Error(`${path}: ${response.status}`);
    return response.json();
  };
  return {
    url,
    /** The settings with which a command calls it. */
    env: { CARDBATCH_HUAWEI_ENDPOINT: url },
    totals: async () => (await ask("/__calls?summary=1&images=0")).totals,
    /** Every call since the last reset, in order: `at` in Unix ms, `image`, `status`. */
    calls: async () => (await ask("/__calls?images=0")).calls,
    setFaults: (rules) => ask("/__faults", { rules }),
    reset: () => ask("/__reset", {}),
    stop: async () => {
      command.kill("SIGTERM");
      await command.done;
    },
  };
}
