import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, inject } from "vitest";
import { type MadeApiKey, makeApiKey, type NewApiKey } from "../../../src/app/api-keys.js";
import { type ServingOptions, startServing } from "../../../src/app/serving.js";
import { type App, openApp } from "../../../src/app.js";
import { loadConfig } from "../../../src/config/load-config.js";
import { type ApiKeys, createApiKeys } from "../../../src/queue/api-keys.js";
import { createKeyring } from "../../../src/vault/keyring-file.js";
import { cardNumber } from "../../helpers/card-numbers.js";

export interface TestService {
  readonly app: App;
  readonly apiKeys: ApiKeys;
  readonly url: string;
  readonly folder: string;
  /** Lines. */
  readonly logs: readonly string[];
  /** Below the root named `archive`. */
  readonly archive: string;
  makeKey(options?: Partial<NewApiKey>): Promise<MadeApiKey>;
  /** Names of files that are staged. */
  staged(): string[];
  close(): Promise<void>;
}

/** `serve` in this process, without workers, with names of its own in the Redis of the test run. Gone when the file is through. */
export async function startService(
  options: Partial<ServingOptions> = {},
  env: Readonly<Record<string, string>> = {},
): Promise<TestService> {
  const logs: string[] = [];
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "cardbatch-serve-")));
  const archive = join(folder, "archive");
  mkdirSync(archive);
  const keyring = join(folder, "keyring.json");
  await createKeyring(keyring);
  const surroundingsEnv = {
    HOME: folder,
    REDIS_URL: inject("redisUrl"),
    CARDBATCH_PREFIX: `{t-${randomBytes(6).toString("hex")}}`,
    CARDBATCH_KEYRING: keyring,
    CARDBATCH_ROOTS: `archive=${archive}`,
    CARDBATCH_STAGING: join(folder, "staging"),
    ...env,
  };
  const surroundings = {
    env: surroundingsEnv,
    packageRoot: folder,
    version: "test",
    writeLog: (line: string) => void logs.push(line),
    prettyLog: false,
    color: false,
    report: () => {},
  };
  const app = await openApp(loadConfig(surroundingsEnv, undefined), surroundings, AbortSignal.timeout(60_000));
  const serving = await startServing(app, {
    host: "127.0.0.1",
    port: 0,
    providers: ["local"],
    backlog: 1000,
    maxImageBytes: 1024 * 1024,
    ...options,
  });
  const apiKeys = createApiKeys(app.redis, app.keys);
  let closing: Promise<void> | null = null;
  const close = () => {
    closing ??= app.close().then(() => rmSync(folder, { recursive: true, force: true }));
    return closing;
  };
  afterAll(close);
  return {
    app,
    apiKeys,
    url: serving.url,
    folder,
    logs,
    archive,
    makeKey: (more = {}) =>
      makeApiKey(app, apiKeys, {
        name: "test",
        scopes: ["enqueue", "read"],
        rate: 10_000,
        webhook: null,
        jwk: null,
        ...more,
      }),
    staged: () =>
      readdirSync(join(folder, "staging"), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && !entry.name.startsWith("probe-"))
        .map(({ name }) => name),
    close,
  };
}

/** A form with one image. */
export function imageForm(bytes: Uint8Array, fields: Readonly<Record<string, string>> = {}): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  form.append("image", new Blob([new Uint8Array(bytes)]), `${cardNumber()}.png`);
  return form;
}
