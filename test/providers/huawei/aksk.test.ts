import { describe, expect, test } from "vitest";
import {
  authorizationHeader,
  canonicalQuery,
  canonicalRequest,
  canonicalUri,
  formatSdkDate,
  parseSdkDate,
  type SignableRequest,
  sha256,
} from "../../../src/providers/huawei/aksk.js";

const keys = { accessKey: "AccessKey", secretKey: "SecretKey" };
const PROJECT = "0123456789abcdef0123456789abcdef";

/** The SDK's own unit tests (huaweicloud-sdk-core, test_signer.py). */
const sdk = {
  query: [["size", "1"]] as const,
  path: "/resources",
  headers: {
    host: "service.endpoint.myhuaweicloud.com",
    "x-sdk-date": "20200608T023900Z",
    test_underscore: "TEST_VALUE",
  },
};
const bankcard: SignableRequest = {
  method: "POST",
  path: `/v2/${PROJECT}/ocr/bankcard`,
  query: [],
  headers: {
    host: "ocr.cn-north-4.myhuaweicloud.com",
    "content-type": "application/json",
    "x-sdk-date": "20240102T030405Z",
  },
  bodySha256: sha256('{"image":"aGVsbG8="}'),
};

const vectors: [name: string, request: SignableRequest, signedHeaders: string, signature: string][] = [
  [
    "H1 GET",
    { ...sdk, method: "GET", bodySha256: sha256("") },
    "host;x-sdk-date",
    "cfb4171acec81de07d50e53d57eb77edd537414d66ddb1d7d780f128e12cd842",
  ],
  [
    "H2 POST",
    { ...sdk, method: "POST", bodySha256: sha256('{"name":"test","id":1}') },
    "host;x-sdk-date",
    "436b1ac0a1ae03705934bb70ef2f2e09f7bfed2117d731a38235053199323a1f",
  ],
  [
    "H3 bank card",
    bankcard,
    "content-type;host;x-sdk-date",
    "7923240d074dc70c7dcc7b31fdf8b0df9b82fd58f1dd9c80d6dd715e416305ae",
  ],
  [
    "H4 with a project header",
    { ...bankcard, headers: { ...bankcard.headers, "x-project-id": PROJECT } },
    "content-type;host;x-project-id;x-sdk-date",
    "c5f8d7fbaf08b7f46200d5e3a3ad0e1be4828274eb8ad6aa355abdfd5f29933d",
  ],
];

test.each(vectors)("%s is signed as Huawei's SDK signs it", (_name, request, signedHeaders, signature) => {
  expect(authorizationHeader(request, keys)).toBe(
    `SDK-HMAC-SHA256 Access=AccessKey, SignedHeaders=${signedHeaders}, Signature=${signature}`,
  );
});

test("H3's steps", () => {
  expect(bankcard.bodySha256).toBe("39b4f9907630af2509df07aa2a47edd29b2ff3a4793a0c1b5f24c7e24567e393");
  expect(sha256(canonicalRequest(bankcard))).toBe("881715d9f7b0da11b6af5d7c9eabae281c084aa00d442a5b0501385de080672f");
});

test("H5 a query is sorted, and encoded further than encodeURIComponent goes", () => {
  const query = [
    ["limit", "1"],
    ["enable", "true"],
    ["test", "一 (&=?!#%.*)"],
    ["path", "/tmp/123"],
    ["multi", "3"],
    ["multi", "1"],
    ["multi", "2"],
  ] as const;
  expect(canonicalQuery(query)).toBe(
    "enable=true&limit=1&multi=1&multi=2&multi=3&path=%2Ftmp%2F123&test=%E4%B8%80%20%28%26%3D%3F%21%23%25.%2A%29",
  );
});

describe("the path", () => {
  test.each([
    ["/a/b", "/a/b/"],
    ["/a/b/", "/a/b/"],
    ["/", "/"],
    ["/%e4%b8%80/x*y", "/%E4%B8%80/x%2Ay/"],
    ["/100%", "/100%25/"],
  ])("%s is signed as %s", (path, canonical) => expect(canonicalUri(path)).toBe(canonical));
});

test("dates go there and back, and nothing else does", () => {
  const ms = Date.UTC(2024, 0, 2, 3, 4, 5);
  expect(formatSdkDate(new Date(ms))).toBe("20240102T030405Z");
  expect(parseSdkDate("20240102T030405Z")).toBe(ms);
  for (const text of ["", "2024-01-02T03:04:05Z", "20241302T030405Z", "20240102T030405"])
    expect(parseSdkDate(text)).toBeNull();
});
