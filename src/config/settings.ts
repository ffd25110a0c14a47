import { z } from "zod";
import type { CallLimits } from "../domain/pace.js";
import { DEFAULT_PREFIX } from "../domain/queue-names.js";

export type CallRates = Omit<CallLimits, "inFlight">;

const text = z.string().min(1, "is empty");

/** Numbers as they are, and as text, since variables hold nothing else. */
function numeric(schema: z.ZodNumber) {
  return z.preprocess((value) => (typeof value === "string" && value.trim() !== "" ? Number(value) : value), schema);
}

const amount = z.number("takes a number");
const whole = amount.int("takes a whole number");

/** As an array, or as text with commas. */
const list = z.preprocess(
  (value) => (typeof value === "string" ? value.split(",").flatMap((item) => item.trim() || []) : value),
  z.array(z.string("takes text, several separated by commas"), "takes text, several separated by commas"),
);

const RATE_FORMS =
  "takes calls a second such as 20 or 20/s, and others beside it, such as 20/s,600/min,50000/day; or auto";

/** How fast an account may be called: `20`, `20/s,600/min,50000/day`, `auto`, `auto,50000/day`. */
export const rateSchema = z.union([z.number(), z.string()], RATE_FORMS).transform((value, context): CallRates => {
  const rates: NamedRates | null = typeof value === "number" ? { perSecond: value } : parseRates(value);
  const isPossible = rates !== null && Object.values(rates).every((amount) => amount === "auto" || amount > 0);
  if (!isPossible || (typeof rates.perSecond === "number" && rates.perSecond > MOST_PER_SECOND)) {
    context.addIssue({ code: "custom", message: RATE_FORMS });
    return z.NEVER;
  }
  const { perSecond, perMinute = null, perDay = null } = rates;
  return { perSecond: perSecond ?? (perMinute === null ? "auto" : perMinute / 60), perMinute, perDay };
});

const MOST_PER_SECOND = 10_000;
const UNITS = { s: "perSecond", min: "perMinute", day: "perDay" } as const;

interface NamedRates {
  perSecond?: number | "auto";
  perMinute?: number;
  perDay?: number;
}

function parseRates(text: string): NamedRates | null {
  const rates: NamedRates = {};
  for (const part of text.split(",")) {
    const [, amount, unit = "s"] = /^\s*(\d+(?:\.\d+)?)(?:\/(s|min|day))?\s*$/.exec(part) ?? [];
    if (part.trim() === "auto") rates.perSecond = "auto";
    else if (amount === undefined) return null;
    else rates[UNITS[unit as keyof typeof UNITS]] = Number(amount);
  }
  return rates;
}

/** A setting: its environment variable beside its type, default and bounds. Secrets may also come from `<env>_FILE`. */
function setting<S extends z.ZodType>(env: string, schema: S, description: string): S {
  return schema.meta({ env, description });
}

function secret(env: string, description: string) {
  return text.optional().meta({ env, secret: true, description });
}

/** What every provider has. */
function providerSettings(name: "HUAWEI" | "SHILIUAI" | "LOCAL") {
  const env = (suffix: string) => `CARDBATCH_${name}_${suffix}`;
  return {
    rate: setting(env("RATE"), rateSchema.optional(), "calls a second that the account allows"),
    burst: setting(
      env("BURST"),
      numeric(whole.min(0).max(1000)).default(1),
      "calls that may go out together; 0 is strictest",
    ),
    concurrency: setting(
      env("CONCURRENCY"),
      numeric(whole.min(1).max(1000)).optional(),
      "calls in flight in one process",
    ),
    inFlight: setting(
      env("IN_FLIGHT"),
      numeric(whole.min(1).max(100_000)).optional(),
      "calls in flight in all processes together",
    ),
    timeoutMs: setting(
      env("TIMEOUT_MS"),
      numeric(whole.min(100).max(600_000)).default(30_000),
      "until a call is given up",
    ),
    price: setting(env("PRICE"), numeric(amount.nonnegative()).default(0), "price of one billable call"),
    threshold: setting(
      env("THRESHOLD"),
      numeric(amount.min(0).max(1)).optional(),
      "confidence from which a number is accepted without a person looking",
    ),
  };
}

/**
 * Every setting there is. Flags beat the environment, which beats the config file (the same tree as JSON), which beats
 * the default.
 */
export const configSchema = z.strictObject({
  redisUrl: secret("REDIS_URL", "the Redis to use; unset: a private one is found or brought"),
  bootstrap: setting("CARDBATCH_BOOTSTRAP", z.enum(["system"]).optional(), "system: may install Redis with sudo"),
  prefix: setting("CARDBATCH_PREFIX", text.default(DEFAULT_PREFIX), "prefix of every key in Redis"),
  provider: setting(
    "CARDBATCH_PROVIDER",
    list.optional(),
    "huawei, shiliuai, local; of several the next is asked in doubt",
  ),
  keyring: setting("CARDBATCH_KEYRING", text.optional(), "the keyring file"),
  roots: setting("CARDBATCH_ROOTS", list.optional(), "name=/folder,… that may be read"),
  staging: setting(
    "CARDBATCH_STAGING",
    text.optional(),
    "folder where images sent over HTTP wait, encrypted; the same for serve and workers",
  ),
  apiRetentionDays: setting(
    "CARDBATCH_API_RETENTION_DAYS",
    numeric(amount.positive()).default(7),
    "days that outcomes of requests over HTTP are kept to be asked for",
  ),
  webhookAllow: setting(
    "CARDBATCH_WEBHOOK_ALLOW",
    list.default([]),
    "hosts, addresses and subnets that webhooks may go to although they are private, or plain http",
  ),
  logLevel: setting(
    "CARDBATCH_LOG_LEVEL",
    z.enum(["trace", "debug", "info", "warn", "error", "silent"]).default("info"),
    "what is logged",
  ),
  metricsPort: setting(
    "CARDBATCH_METRICS_PORT",
    numeric(whole.min(0).max(65_535)).optional(),
    "port of /metrics; 0: any",
  ),
  metricsHost: setting("CARDBATCH_METRICS_HOST", text.default("127.0.0.1"), "address of /metrics"),
  golden: setting(
    "CARDBATCH_GOLDEN",
    text.optional(),
    "labels (CSV: file,page,number) of images beside it that are called for besides, to watch accuracy; workers need both",
  ),
  goldenShare: setting(
    "CARDBATCH_GOLDEN_SHARE",
    numeric(amount.min(0).max(1)).default(0.01),
    "golden calls for each call",
  ),
  allowHttp: setting("CARDBATCH_ALLOW_HTTP", list.default([]), "hosts besides loopback that may be plain http"),
  database: secret("CARDBATCH_DATABASE", "what queries as sources (.sql) ask, such as postgres://user@host/database"),
  sinks: list.default([]).meta({
    env: "CARDBATCH_SINKS",
    secret: true,
    description: "where outcomes go besides --out, such as postgres://user@host/database; several separated by commas",
  }),
  resultsBacklog: setting(
    "CARDBATCH_RESULTS_BACKLOG",
    numeric(whole.min(1)).default(10_000),
    "unread outcomes of a destination",
  ),
  killAt: setting(
    "CARDBATCH_KILL_AT",
    text.regex(/^[a-z-]+(:[1-9]\d*)?(@\S+)?$/, "takes a step, such as stored:3").optional(),
    "for tests: where this process kills itself",
  ),
  retentionDays: setting("CARDBATCH_RETENTION_DAYS", numeric(amount.positive()).default(30), "days answers are kept"),
  batchRetentionDays: setting(
    "CARDBATCH_BATCH_RETENTION_DAYS",
    numeric(amount.positive()).default(365),
    "days a batch is remembered after it was run last",
  ),
  httpsProxy: secret("HTTPS_PROXY", "proxy for calls to vendors; its address may hold a password"),
  noProxy: setting("NO_PROXY", text.optional(), "hosts reached without the proxy"),
  s3: z.strictObject({
    endpoint: setting(
      "CARDBATCH_S3_ENDPOINT",
      text.optional(),
      "of s3://, such as obs.cn-north-4.myhuaweicloud.com or http://127.0.0.1:9000",
    ),
    region: setting("CARDBATCH_S3_REGION", text.default("us-east-1"), "its region, such as cn-north-4"),
    accessKey: secret("CARDBATCH_S3_ACCESS_KEY", "AK"),
    secretKey: secret("CARDBATCH_S3_SECRET_KEY", "SK"),
    securityToken: secret("CARDBATCH_S3_SECURITY_TOKEN", "of temporary keys"),
    addressing: setting(
      "CARDBATCH_S3_ADDRESSING",
      z.enum(["host", "path"]).default("host"),
      "host: the bucket is part of the host's name (OBS); path: it begins the path (MinIO)",
    ),
  }),
  huawei: z.strictObject({
    ...providerSettings("HUAWEI"),
    endpoint: setting("CARDBATCH_HUAWEI_ENDPOINT", text.optional(), "such as ocr.cn-north-4.myhuaweicloud.com"),
    projectId: setting("CARDBATCH_HUAWEI_PROJECT_ID", text.optional(), "the project in the endpoint's region"),
    enterpriseProjectId: setting("CARDBATCH_HUAWEI_ENTERPRISE_PROJECT_ID", text.optional(), "whom the bill goes to"),
    token: secret("CARDBATCH_HUAWEI_TOKEN", "an IAM token"),
    accessKey: secret("CARDBATCH_HUAWEI_ACCESS_KEY", "AK"),
    secretKey: secret("CARDBATCH_HUAWEI_SECRET_KEY", "SK"),
    securityToken: secret("CARDBATCH_HUAWEI_SECURITY_TOKEN", "of temporary keys"),
    iamEndpoint: setting("CARDBATCH_HUAWEI_IAM_ENDPOINT", text.optional(), "such as iam.cn-north-4.myhuaweicloud.com"),
    iamDomain: setting("CARDBATCH_HUAWEI_IAM_DOMAIN", text.optional(), "the account that the IAM user belongs to"),
    iamUser: setting("CARDBATCH_HUAWEI_IAM_USER", text.optional(), "the IAM user"),
    iamPassword: secret("CARDBATCH_HUAWEI_IAM_PASSWORD", "its password"),
  }),
  shiliuai: z.strictObject({
    ...providerSettings("SHILIUAI"),
    endpoint: setting(
      "CARDBATCH_SHILIUAI_ENDPOINT",
      text.default("https://ocr-api.shiliuai.com"),
      "the vendor's address",
    ),
    appCode: secret("CARDBATCH_SHILIUAI_APP_CODE", "the APPCODE"),
    appKey: secret("CARDBATCH_SHILIUAI_APP_KEY", "the app key"),
    appSecret: secret("CARDBATCH_SHILIUAI_APP_SECRET", "its secret"),
  }),
  local: z.strictObject(providerSettings("LOCAL")),
});

/** The settings, resolved. */
export type Config = z.infer<typeof configSchema>;
export type ProviderConfig = Config["local"];
