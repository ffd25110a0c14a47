import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { inject } from "vitest";
import type { OutcomeRecord } from "../../src/domain/record.js";
import type { Summary } from "../../src/results/summary.js";
import { drawPng } from "./png.js";

const ENTRY = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** The long forms of the fault and figure tests: `CARDBATCH_TEST_SCALE=long`. */
export const IS_LONG = process.env.CARDBATCH_TEST_SCALE === "long";

export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly done: Promise<Finished>;
  kill(signal: NodeJS.Signals): void;
}

/** A place of its own for commands: home, folder, names in Redis; with what they left behind gone at the end. */
export interface Place {
  readonly folder: string;
  readonly env: Record<string, string>;
  path(...parts: string[]): string;
  start(args: readonly string[], env?: Readonly<Record<string, string>>): Running;
  run(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Finished>;
  close(): Promise<void>;
}

/**
 * @param redisUrl null: the commands bring a Redis of their own
 * @param entry the command line's file, by the place's folder
 */
export function openPlace(redisUrl: string | null = inject("redisUrl"), entry = (_folder: string) => ENTRY): Place {
  const folder = mkdtempSync(join(tmpdir(), "cardbatch-e2e-"));
  const env: Record<string, string> = {
    PATH: process.env.PATH ?? "",
    HOME: join(folder, "home"),
    CARDBATCH_PREFIX: `{t-${randomBytes(6).toString("hex")}}`,
    ...(redisUrl === null ? {} : { REDIS_URL: redisUrl }),
  };
  const running = new Set<Running>();
  const start: Place["start"] = (args, more = {}) => {
    const started = startCommand([entry(folder), ...args], { ...env, ...more }, folder);
    running.add(started);
    void started.done.then(() => running.delete(started));
    return started;
  };
  return {
    folder,
    env,
    path: (...parts) => join(folder, ...parts),
    start,
    run: (args, more) => start(args, more).done,
    close: async () => {
      for (const { kill } of running) kill("SIGKILL");
      await Promise.all([...running].map(({ done }) => done));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function startCommand(args: readonly string[], env: Record<string, string>, cwd: string): Running {
  const child = spawn(process.execPath, [...args], { env, cwd, stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const done = once(child, "close").then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as NodeJS.Signals | null,
    stdout,
    stderr,
  }));
  return { child, stdout: () => stdout, stderr: () => stderr, done, kill: (signal) => void child.kill(signal) };
}

/** The log of an emulator, as `GET /__calls?summary=1` gives it. */
export interface CallReport {
  readonly totals: {
    readonly calls: number;
    readonly billable: number;
    readonly answered: number;
    readonly uncertain: number;
    readonly byStatus: Readonly<Record<string, number>>;
    readonly maxCallsInAnySecond: number;
  };
  readonly images: Readonly<Record<string, { calls: number; answered: number; billable: number }>>;
}

export interface RunningEmulator {
  readonly url: string;
  readonly running: Running;
  report(): Promise<CallReport>;
  setFaults(faults: unknown): Promise<void>;
  reset(): Promise<void>;
}

/** `cardbatch emulate`, with credentials of every way to authenticate. */
export async function startEmulator(
  place: Place,
  args: readonly string[] = ["--answer", "fixed"],
): Promise<RunningEmulator> {
  const running = place.start(["emulate", ...args], EMULATOR_CREDENTIALS);
  const [chunk] = (await once(running.child.stdout as NodeJS.ReadableStream, "data")) as [string];
  const { listening: url } = JSON.parse(chunk.split("\n")[0] ?? "") as { listening: string };
  const post = async (path: string, body?: unknown) => {
    const response = await fetch(url + path, {
      method: "POST",
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  };
  return {
    url,
    running,
    report: async () => (await (await fetch(`${url}/__calls?summary=1`)).json()) as CallReport,
    setFaults: (faults) => post("/__faults", faults),
    reset: () => post("/__reset"),
  };
}

const PROJECT = "0123456789abcdef0123456789abcdef";

/** Made up, for the emulator and for those who call it. */
const SECRETS = {
  token: { CARDBATCH_HUAWEI_TOKEN: "test-token" },
  aksk: { CARDBATCH_HUAWEI_ACCESS_KEY: "test-access-key", CARDBATCH_HUAWEI_SECRET_KEY: "test-secret-key" },
  iam: {
    CARDBATCH_HUAWEI_IAM_DOMAIN: "test-domain",
    CARDBATCH_HUAWEI_IAM_USER: "test-user",
    CARDBATCH_HUAWEI_IAM_PASSWORD: "test-password",
  },
  appcode: { CARDBATCH_SHILIUAI_APP_CODE: "test-app-code" },
  signature: { CARDBATCH_SHILIUAI_APP_KEY: "test-app-key", CARDBATCH_SHILIUAI_APP_SECRET: "test-app-secret" },
} as const;

export const EMULATOR_CREDENTIALS: Readonly<Record<string, string>> = {
  CARDBATCH_HUAWEI_PROJECT_ID: PROJECT,
  CARDBATCH_HUAWEI_IAM_ENDPOINT: "http://127.0.0.1",
  ...SECRETS.token,
  ...SECRETS.aksk,
  ...SECRETS.iam,
  ...SECRETS.appcode,
  ...SECRETS.signature,
};

export type AuthWay = keyof typeof SECRETS;
export const AUTH_WAYS = Object.keys(SECRETS) as AuthWay[];

/** The settings with which a command calls an emulator in one way to authenticate. */
export function callerSettings(url: string, way: AuthWay = "token"): { provider: string; env: Record<string, string> } {
  if (way === "appcode" || way === "signature") {
    return { provider: "shiliuai", env: { CARDBATCH_SHILIUAI_ENDPOINT: url, ...SECRETS[way] } };
  }
  const iam = way === "iam" ? { CARDBATCH_HUAWEI_IAM_ENDPOINT: url } : {};
  return {
    provider: "huawei",
    env: { CARDBATCH_HUAWEI_ENDPOINT: url, CARDBATCH_HUAWEI_PROJECT_ID: PROJECT, ...iam, ...SECRETS[way] },
  };
}

/** Tiny distinct pictures, a hundred a folder. @param first number of the first: the same numbers are the same pictures */
export async function drawArchive(folder: string, count: number, first = 0): Promise<void> {
  for (let i = first; i < first + count; i++) {
    const path = join(folder, String(Math.floor(i / 100)).padStart(4, "0"), `${String(i).padStart(6, "0")}.png`);
    if (i % 100 === 0 || i === first) await mkdir(dirname(path), { recursive: true });
    await writeFile(path, drawPng(i));
  }
}

/** Every line of an `--out` folder; throws on one that does not parse. */
export function readOut(folder: string): { results: OutcomeRecord[]; failures: OutcomeRecord[]; all: OutcomeRecord[] } {
  const read = (name: string) =>
    readFileSync(join(folder, name), "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as OutcomeRecord);
  const results = read("results.ndjson");
  const failures = read("failures.ndjson");
  return { results, failures, all: [...results, ...failures] };
}

export function readSummary(folder: string): Summary {
  return JSON.parse(readFileSync(join(folder, "summary.json"), "utf8")) as Summary;
}
