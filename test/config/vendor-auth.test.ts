import { describe, expect, test } from "vitest";
import { loadConfig } from "../../src/config/load-config.js";
import {
  assertAccounts,
  huaweiAccount,
  huaweiWays,
  shiliuaiAccount,
  shiliuaiWays,
} from "../../src/config/vendor-auth.js";
import { ConfigError } from "../../src/domain/errors.js";

const TOKEN = { CARDBATCH_HUAWEI_TOKEN: "t" };
const AKSK = { CARDBATCH_HUAWEI_ACCESS_KEY: "ak", CARDBATCH_HUAWEI_SECRET_KEY: "sk" };
const IAM = {
  CARDBATCH_HUAWEI_IAM_ENDPOINT: "e",
  CARDBATCH_HUAWEI_IAM_DOMAIN: "d",
  CARDBATCH_HUAWEI_IAM_USER: "u",
  CARDBATCH_HUAWEI_IAM_PASSWORD: "p",
};
const APPCODE = { CARDBATCH_SHILIUAI_APP_CODE: "c" };
const SIGNED = { CARDBATCH_SHILIUAI_APP_KEY: "k", CARDBATCH_SHILIUAI_APP_SECRET: "s" };

type Env = Record<string, string>;
const ways = (env: Env) => {
  const config = loadConfig(env, undefined);
  return [...huaweiWays(config), ...shiliuaiWays(config)];
};

describe("ways to authenticate", () => {
  test.each<[string, Env, unknown[]]>([
    ["none", {}, []],
    ["a token", TOKEN, [{ kind: "token", token: "t" }]],
    ["a key pair", AKSK, [{ kind: "aksk", accessKey: "ak", secretKey: "sk" }]],
    [
      "a temporary key pair",
      { ...AKSK, CARDBATCH_HUAWEI_SECURITY_TOKEN: "st" },
      [{ kind: "aksk", accessKey: "ak", secretKey: "sk", securityToken: "st" }],
    ],
    ["a user", IAM, [{ kind: "iam", iamEndpoint: "e", domain: "d", user: "u", password: "p" }]],
    ["an app code", APPCODE, [{ kind: "appcode", appCode: "c" }]],
    ["a signature", SIGNED, [{ kind: "signature", appKey: "k", appSecret: "s" }]],
  ])("%s", (_, env, expected) => {
    expect(ways(env)).toEqual(expected);
  });

  test.each([AKSK, IAM, SIGNED])("a part of %o is refused, and what is missing is named", (whole) => {
    for (const missing of Object.keys(whole)) {
      const part: Env = { ...whole };
      delete part[missing];
      expect(() => ways(part)).toThrow(ConfigError);
      expect(() => ways(part)).toThrow(`${missing}: missing; ${Object.keys(whole).join(", ")} belong together`);
    }
  });

  test("a security token belongs to a key pair", () => {
    const env = { ...TOKEN, CARDBATCH_HUAWEI_SECURITY_TOKEN: "st" };
    expect(() => ways(env)).toThrow("CARDBATCH_HUAWEI_SECURITY_TOKEN: belongs to CARDBATCH_HUAWEI_ACCESS_KEY");
  });
});

describe("what it takes to call a vendor", () => {
  const PLACE = { CARDBATCH_HUAWEI_ENDPOINT: "e", CARDBATCH_HUAWEI_PROJECT_ID: "p" };
  const assert = (env: Env) => assertAccounts(["huawei", "shiliuai", "local"], loadConfig(env, undefined));

  test("is told when it is there", () => {
    const auth = { kind: "token", token: "t" };
    const config = loadConfig({ ...PLACE, ...TOKEN, ...APPCODE }, undefined);
    expect(huaweiAccount(config)).toEqual({ endpoint: "e", projectId: "p", auth });
    expect(shiliuaiAccount(config).auth).toEqual({ kind: "appcode", appCode: "c" });
  });

  test("is named whole when it is missing", () => {
    for (const missing of ["CARDBATCH_HUAWEI_ENDPOINT", "CARDBATCH_HUAWEI_PROJECT_ID", "huawei: no credentials"]) {
      expect(() => assert({})).toThrow(missing);
    }
    expect(() => assert({ ...PLACE, ...TOKEN })).toThrow("shiliuai: no credentials; set CARDBATCH_SHILIUAI_APP_CODE");
    expect(() => assertAccounts(["local"], loadConfig({}, undefined))).not.toThrow();
  });

  test("is one way to authenticate and no more", () => {
    expect(() => assert({ ...PLACE, ...TOKEN, ...IAM })).toThrow(
      new ConfigError(
        "CARDBATCH_HUAWEI_TOKEN and CARDBATCH_HUAWEI_IAM_USER are set, each enough to authenticate to huawei; keep one of them",
      ),
    );
    expect(() => assert({ ...PLACE, ...TOKEN, ...AKSK, ...IAM })).toThrow(/_TOKEN and \w+_ACCESS_KEY and \w+_IAM_USER/);
  });
});
