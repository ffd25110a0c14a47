import type { ProviderName } from "../domain/answer.js";
import { ConfigError } from "../domain/errors.js";
import type { HuaweiAuth, ShiliuaiAuth } from "../domain/vendor-auth.js";
import type { Config } from "./settings.js";

/** By which setting a way is recognised. */
const SETTINGS_OF = {
  token: "CARDBATCH_HUAWEI_TOKEN",
  aksk: "CARDBATCH_HUAWEI_ACCESS_KEY",
  iam: "CARDBATCH_HUAWEI_IAM_USER",
  appcode: "CARDBATCH_SHILIUAI_APP_CODE",
  signature: "CARDBATCH_SHILIUAI_APP_KEY",
} as const;

/** One way to authenticate: the settings it takes, all of them or none. */
interface Way<T> {
  readonly settings: Readonly<Record<string, string | undefined>>;
  readonly make: () => T;
}

/**
 * What it takes to call Huawei.
 * @throws ConfigError naming every setting that is missing, or those that contradict each other
 */
export function huaweiAccount(config: Config): {
  readonly endpoint: string;
  readonly projectId: string;
  readonly auth: HuaweiAuth;
} {
  const { endpoint, projectId } = config.huawei;
  const auth = onlyWay("huawei", huaweiWays(config));
  if (endpoint !== undefined && projectId !== undefined && auth !== null) return { endpoint, projectId, auth };
  throw new ConfigError(
    [
      ...(endpoint === undefined
        ? ["CARDBATCH_HUAWEI_ENDPOINT: missing; such as ocr.cn-north-4.myhuaweicloud.com"]
        : []),
      ...(projectId === undefined
        ? ["CARDBATCH_HUAWEI_PROJECT_ID: missing; the project id in the endpoint's region"]
        : []),
      ...(auth === null
        ? [
            "huawei: no credentials; set CARDBATCH_HUAWEI_TOKEN, or _ACCESS_KEY and _SECRET_KEY, or _IAM_ENDPOINT, _IAM_DOMAIN, _IAM_USER and _IAM_PASSWORD",
          ]
        : []),
    ].join("\n"),
  );
}

/**
 * The same for Shiliuai.
 * @throws ConfigError unless exactly one way to authenticate is configured
 */
export function shiliuaiAccount(config: Config): { readonly endpoint: string; readonly auth: ShiliuaiAuth } {
  const auth = onlyWay("shiliuai", shiliuaiWays(config));
  if (auth !== null) return { endpoint: config.shiliuai.endpoint, auth };
  throw new ConfigError("shiliuai: no credentials; set CARDBATCH_SHILIUAI_APP_CODE, or _APP_KEY and _APP_SECRET");
}

/**
 * To be asked before anything is started.
 * @throws ConfigError of what a call to one of the providers would lack
 */
export function assertAccounts(names: readonly ProviderName[], config: Config): void {
  if (names.includes("huawei")) huaweiAccount(config);
  if (names.includes("shiliuai")) shiliuaiAccount(config);
}

/**
 * Every complete way to authenticate that is configured.
 * @throws ConfigError for a way that is half configured, or a security token that belongs to none
 */
export function huaweiWays({ huawei }: Config): HuaweiAuth[] {
  const { token, accessKey, secretKey, securityToken, iamEndpoint, iamDomain, iamUser, iamPassword } = huawei;
  if (securityToken !== undefined && accessKey === undefined && secretKey === undefined) {
    throw new ConfigError(
      "CARDBATCH_HUAWEI_SECURITY_TOKEN: belongs to CARDBATCH_HUAWEI_ACCESS_KEY and CARDBATCH_HUAWEI_SECRET_KEY, which are missing",
    );
  }
  return completeWays<HuaweiAuth>([
    { settings: { CARDBATCH_HUAWEI_TOKEN: token }, make: () => ({ kind: "token", token: token ?? "" }) },
    {
      settings: { CARDBATCH_HUAWEI_ACCESS_KEY: accessKey, CARDBATCH_HUAWEI_SECRET_KEY: secretKey },
      make: () => ({ kind: "aksk", accessKey: accessKey ?? "", secretKey: secretKey ?? "", securityToken }),
    },
    {
      settings: {
        CARDBATCH_HUAWEI_IAM_ENDPOINT: iamEndpoint,
        CARDBATCH_HUAWEI_IAM_DOMAIN: iamDomain,
        CARDBATCH_HUAWEI_IAM_USER: iamUser,
        CARDBATCH_HUAWEI_IAM_PASSWORD: iamPassword,
      },
      make: () => ({
        kind: "iam",
        iamEndpoint: iamEndpoint ?? "",
        domain: iamDomain ?? "",
        user: iamUser ?? "",
        password: iamPassword ?? "",
      }),
    },
  ]);
}

/** Those for Shiliuai. */
export function shiliuaiWays({ shiliuai }: Config): ShiliuaiAuth[] {
  const { appCode, appKey, appSecret } = shiliuai;
  return completeWays<ShiliuaiAuth>([
    { settings: { CARDBATCH_SHILIUAI_APP_CODE: appCode }, make: () => ({ kind: "appcode", appCode: appCode ?? "" }) },
    {
      settings: { CARDBATCH_SHILIUAI_APP_KEY: appKey, CARDBATCH_SHILIUAI_APP_SECRET: appSecret },
      make: () => ({ kind: "signature", appKey: appKey ?? "", appSecret: appSecret ?? "" }),
    },
  ]);
}

/** Null when there is none. @throws ConfigError when there are several */
function onlyWay<T extends { kind: keyof typeof SETTINGS_OF }>(vendor: ProviderName, ways: readonly T[]): T | null {
  const [way = null, ...others] = ways;
  if (others.length === 0) return way;
  const named = ways.map(({ kind }) => SETTINGS_OF[kind]).join(" and ");
  throw new ConfigError(`${named} are set, each enough to authenticate to ${vendor}; keep one of them`);
}

function completeWays<T>(ways: readonly Way<T>[]): T[] {
  const complete: T[] = [];
  for (const { settings, make } of ways) {
    const missing = Object.keys(settings).filter((name) => settings[name] === undefined);
    if (missing.length === 0) complete.push(make());
    else if (missing.length < Object.keys(settings).length) {
      throw new ConfigError(`${missing.join(", ")}: missing; ${Object.keys(settings).join(", ")} belong together`);
    }
  }
  return complete;
}
