import type { Config } from "../config/settings.js";
import { huaweiWays, shiliuaiWays } from "../config/vendor-auth.js";
import type { HuaweiAuth } from "../domain/vendor-auth.js";
import type { HuaweiAccount } from "../providers/huawei/server-auth.js";
import type { ShiliuaiAccount } from "../providers/shiliuai/server.js";

/** Whom a server in a vendor's place knows, by the credentials of the settings; a vendor without any is null. */
export interface VendorAccounts {
  readonly huawei:
    | (Omit<HuaweiAccount, "iamToken"> & { readonly iam: Extract<HuaweiAuth, { kind: "iam" }> | null })
    | null;
  readonly shiliuai: ShiliuaiAccount | null;
}

/** @throws ConfigError for a way to authenticate that is half configured */
export function vendorAccounts(config: Config): VendorAccounts {
  const huawei = huaweiWays(config);
  const shiliuai = shiliuaiWays(config);
  const token = huawei.find((way) => way.kind === "token");
  const keys = huawei.find((way) => way.kind === "aksk");
  const appCode = shiliuai.find((way) => way.kind === "appcode");
  return {
    huawei:
      huawei.length === 0
        ? null
        : {
            projectId: config.huawei.projectId ?? null,
            token: token?.token ?? null,
            keys: keys === undefined ? null : { ...keys, securityToken: keys.securityToken ?? null },
            iam: huawei.find((way) => way.kind === "iam") ?? null,
          },
    shiliuai:
      shiliuai.length === 0
        ? null
        : { appCode: appCode?.appCode ?? null, keys: shiliuai.find((way) => way.kind === "signature") ?? null },
  };
}
