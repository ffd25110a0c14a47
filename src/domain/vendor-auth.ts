/** One way to authenticate with Huawei Cloud. */
export type HuaweiAuth =
  | { readonly kind: "token"; readonly token: string }
  | {
      readonly kind: "aksk";
      readonly accessKey: string;
      readonly secretKey: string;
      /** Belongs to temporary keys. */
      readonly securityToken?: string | undefined;
    }
  | {
      readonly kind: "iam";
      readonly iamEndpoint: string;
      readonly domain: string;
      readonly user: string;
      readonly password: string;
    };

/** One way to authenticate with Shiliuai. */
export type ShiliuaiAuth =
  | { readonly kind: "appcode"; readonly appCode: string }
  | { readonly kind: "signature"; readonly appKey: string; readonly appSecret: string };
