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

/** The same for Shiliuai. */
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

/** @throws ConfigError unless exactly one way is configured */
export function onlyWay<T extends { kind: keyof typeof SETTINGS_OF }>(
  vendor: string,
  ways: readonly T[],
  choices: string,
): T {
  const [way, ...others] = ways;
  if (way === undefined) throw new ConfigError(`${vendor}: no credentials; set ${choices}`);
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
