import { chmodSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadConfig } from "../../src/config/load-config.js";
import type { Config } from "../../src/config/settings.js";
import { ConfigError } from "../../src/domain/errors.js";
import { asNobody } from "../helpers/as-nobody.js";
import { tempFolder } from "../helpers/temp-folder.js";

type Env = Record<string, string>;

function load(env: Env, file?: unknown): Config {
  if (file === undefined) return loadConfig(env, undefined);
  const folder = tempFolder({ "c.json": typeof file === "string" ? file : JSON.stringify(file) });
  return loadConfig(env, join(folder, "c.json"));
}

function refusal(env: Env, file?: unknown): string {
  try {
    load(env, file);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message;
  }
  return expect.unreachable("it was taken");
}

describe("loadConfig", () => {
  test("needs nothing", () => {
    expect(load({})).toEqual({
      prefix: "{cardbatch}",
      apiRetentionDays: 7,
      webhookAllow: [],
      logLevel: "info",
      metricsHost: "127.0.0.1",
      allowHttp: [],
      sinks: [],
      resultsBacklog: 10_000,
      retentionDays: 30,
      batchRetentionDays: 365,
      goldenShare: 0.01,
      s3: { region: "us-east-1", addressing: "host" },
      huawei: { burst: 1, timeoutMs: 30_000, price: 0 },
      shiliuai: { burst: 1, timeoutMs: 30_000, price: 0, endpoint: "https://ocr-api.shiliuai.com" },
      local: { burst: 1, timeoutMs: 30_000, price: 0 },
    });
  });

  test("the environment beats the file, which beats the default; an empty variable is none", () => {
    const file = { logLevel: "debug", huawei: { rate: 7, burst: 0 }, provider: ["local"] };
    const env = { CARDBATCH_LOG_LEVEL: "warn", CARDBATCH_HUAWEI_RATE: "20/s", CARDBATCH_PROVIDER: "" };
    const config = load(env, file);
    expect(config).toMatchObject({ logLevel: "warn", provider: ["local"], resultsBacklog: 10_000 });
    expect(config.huawei).toMatchObject({ rate: { perSecond: 20 }, burst: 0, timeoutMs: 30_000 });
  });

  test.each<[string, string, unknown]>([
    ["REDIS_URL", "redis://r:1", { redisUrl: "redis://r:1" }],
    ["CARDBATCH_PROVIDER", " huawei, local,", { provider: ["huawei", "local"] }],
    ["CARDBATCH_ROOTS", "a=/x,b=/y z", { roots: ["a=/x", "b=/y z"] }],
    ["CARDBATCH_ALLOW_HTTP", "h1,h2", { allowHttp: ["h1", "h2"] }],
    ["CARDBATCH_METRICS_PORT", "0", { metricsPort: 0 }],
    ["CARDBATCH_HUAWEI_RATE", "0.5", { huawei: { rate: { perSecond: 0.5, perMinute: null, perDay: null } } }],
    ["CARDBATCH_HUAWEI_RATE", "auto", { huawei: { rate: { perSecond: "auto", perMinute: null, perDay: null } } }],
    [
      "CARDBATCH_HUAWEI_RATE",
      "9/s,500/min, 1000/day",
      { huawei: { rate: { perSecond: 9, perMinute: 500, perDay: 1000 } } },
    ],
    ["CARDBATCH_HUAWEI_RATE", "600/min", { huawei: { rate: { perSecond: 10, perMinute: 600, perDay: null } } }],
    ["CARDBATCH_LOCAL_CONCURRENCY", "3", { local: { concurrency: 3 } }],
    ["CARDBATCH_SHILIUAI_PRICE", "0.015", { shiliuai: { price: 0.015 } }],
    ["CARDBATCH_SHILIUAI_THRESHOLD", "1", { shiliuai: { threshold: 1 } }],
    ["CARDBATCH_RETENTION_DAYS", "0.5", { retentionDays: 0.5 }],
    ["HTTPS_PROXY", "http://p:3128", { httpsProxy: "http://p:3128" }],
    ["https_proxy", "http://p:3128", { httpsProxy: "http://p:3128" }],
    ["no_proxy", "localhost", { noProxy: "localhost" }],
  ])("%s=%s", (name, value, expected) => {
    expect(load({ [name]: value })).toMatchObject(expected as object);
  });

  test.each([
    ["CARDBATCH_HUAWEI_RATE", "0"],
    ["CARDBATCH_HUAWEI_RATE", "-1"],
    ["CARDBATCH_HUAWEI_RATE", "10001"],
    ["CARDBATCH_HUAWEI_RATE", "fast"],
    ["CARDBATCH_HUAWEI_RATE", "20/m"],
    ["CARDBATCH_HUAWEI_RATE", "20/s,0/day"],
    ["CARDBATCH_HUAWEI_RATE", "20/s,"],
    ["CARDBATCH_HUAWEI_BURST", "-1"],
    ["CARDBATCH_HUAWEI_BURST", "1001"],
    ["CARDBATCH_HUAWEI_BURST", "1.5"],
    ["CARDBATCH_HUAWEI_BURST", " "],
    ["CARDBATCH_SHILIUAI_CONCURRENCY", "0"],
    ["CARDBATCH_SHILIUAI_CONCURRENCY", "1001"],
    ["CARDBATCH_LOCAL_TIMEOUT_MS", "99"],
    ["CARDBATCH_LOCAL_TIMEOUT_MS", "600001"],
    ["CARDBATCH_LOCAL_PRICE", "-0.1"],
    ["CARDBATCH_LOCAL_THRESHOLD", "1.01"],
    ["CARDBATCH_LOCAL_THRESHOLD", "-0.01"],
    ["CARDBATCH_METRICS_PORT", "65536"],
    ["CARDBATCH_METRICS_PORT", "-1"],
    ["CARDBATCH_METRICS_PORT", "http"],
    ["CARDBATCH_RESULTS_BACKLOG", "0"],
    ["CARDBATCH_RETENTION_DAYS", "0"],
    ["CARDBATCH_RETENTION_DAYS", "Infinity"],
    ["CARDBATCH_LOG_LEVEL", "loud"],
    ["CARDBATCH_BOOTSTRAP", "yes"],
  ])("%s=%s is refused by name and value", (name, value) => {
    const message = refusal({ [name]: value });
    expect(message.startsWith(`${name}=${value}: `)).toBe(true);
    expect(message).not.toContain("Invalid input\n");
  });

  test("says of a rate what a rate is", () => {
    expect(refusal({ CARDBATCH_HUAWEI_RATE: "fast" })).toContain("such as 20 or 20/s");
  });

  test.each<[unknown, string]>([
    [{ colour: "red" }, "c.json: unknown setting colour; there are allowHttp, "],
    [{ colour: "red", size: 1 }, "c.json: unknown setting size; there are "],
    [{ local: { tocken: "t" } }, "c.json: unknown setting local.tocken; there are burst, concurrency, "],
    [{ huawei: "x" }, "huawei: "],
    [{ huawei: [] }, "huawei: "],
    [{ local: 5 }, "local: "],
    [{ huawei: { burst: true } }, "CARDBATCH_HUAWEI_BURST=true: "],
    [{ huawei: { timeoutMs: null } }, "CARDBATCH_HUAWEI_TIMEOUT_MS: takes a number"],
    [{ provider: [7] }, "CARDBATCH_PROVIDER"],
    ["[]", "not a JSON object"],
    ["7", "not a JSON object"],
    ["{", "not a JSON object"],
  ])("a file with %j is refused", (file, message) => {
    expect(refusal({}, file)).toContain(message);
  });

  test("tells all that is wrong at once", () => {
    expect(refusal({ CARDBATCH_HUAWEI_BURST: "x", CARDBATCH_LOG_LEVEL: "y" }).split("\n")).toHaveLength(2);
  });

  test("a file that is not there is refused", () => {
    expect(() => loadConfig({}, "/nowhere/c.json")).toThrow(
      new ConfigError("--config /nowhere/c.json: cannot be read"),
    );
  });
});

describe("secrets", () => {
  const SECRETS = [
    ["REDIS_URL", (config: Config) => config.redisUrl],
    ["HTTPS_PROXY", (config: Config) => config.httpsProxy],
    ["CARDBATCH_HUAWEI_TOKEN", (config: Config) => config.huawei.token],
    ["CARDBATCH_HUAWEI_ACCESS_KEY", (config: Config) => config.huawei.accessKey],
    ["CARDBATCH_HUAWEI_SECRET_KEY", (config: Config) => config.huawei.secretKey],
    ["CARDBATCH_HUAWEI_SECURITY_TOKEN", (config: Config) => config.huawei.securityToken],
    ["CARDBATCH_HUAWEI_IAM_PASSWORD", (config: Config) => config.huawei.iamPassword],
    ["CARDBATCH_SHILIUAI_APP_CODE", (config: Config) => config.shiliuai.appCode],
    ["CARDBATCH_SHILIUAI_APP_KEY", (config: Config) => config.shiliuai.appKey],
    ["CARDBATCH_SHILIUAI_APP_SECRET", (config: Config) => config.shiliuai.appSecret],
  ] as const;

  test.each(SECRETS)("%s comes from a file, too", (name, read) => {
    const folder = tempFolder({ secret: "s3cret\n", empty: "\n" });
    expect(read(load({ [`${name}_FILE`]: join(folder, "secret") }))).toBe("s3cret");
    expect(read(load({ [`${name}_FILE`]: "", [name]: "direct" }))).toBe("direct");
    expect(refusal({ [`${name}_FILE`]: join(folder, "secret"), [name]: "direct" })).toBe(
      `${name} and ${name}_FILE are both set; keep one`,
    );
    expect(refusal({ [`${name}_FILE`]: join(folder, "missing") })).toContain(`${name}_FILE: ${folder}/missing`);
    expect(refusal({ [`${name}_FILE`]: join(folder, "empty") })).toContain(`${name}: `);
  });

  test("are in no message", () => {
    const secret = "s3cret-value";
    const file = {
      redisUrl: [secret],
      httpsProxy: { secret },
      huawei: { token: 7, secretKey: [secret], iamPassword: { secret } },
      shiliuai: { appSecret: [secret] },
      provider: { secret },
    };
    const message = refusal({ CARDBATCH_HUAWEI_BURST: "x" }, file);
    expect(message).toContain("CARDBATCH_HUAWEI_SECRET_KEY: ");
    expect(message).toContain("CARDBATCH_HUAWEI_TOKEN: ");
    expect(message).not.toContain(secret);
    expect(message).not.toContain("7");
    expect(refusal({}, `{"huawei":{"token":"${secret}"`)).not.toContain(secret);
  });

  test("a file that may not be read is refused", async () => {
    const folder = tempFolder({ secret: "s3cret" });
    chmodSync(join(folder, "secret"), 0);
    await asNobody(async () => {
      expect(refusal({ CARDBATCH_HUAWEI_TOKEN_FILE: join(folder, "secret") })).toContain("cannot be read");
    });
  });
});
