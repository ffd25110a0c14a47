import { describe, expect, test } from "vitest";
import { ConfigError } from "../../src/domain/errors.js";
import { parseEndpoint } from "../../src/providers/endpoint.js";
import { bypassesProxy, parseProxy } from "../../src/providers/proxy.js";

const parse = (text: string, allowed: string[] = []) => parseEndpoint(text, "CARDBATCH_X_ENDPOINT", allowed);

describe("an endpoint", () => {
  test.each([
    ["ocr.example.com", "https://ocr.example.com", ""],
    [" OCR.example.com:8443/base/ ", "https://ocr.example.com:8443", "/base"],
    ["https://ocr.example.com:443", "https://ocr.example.com", ""],
    ["localhost:8080", "https://localhost:8080", ""],
    ["http://localhost:8080", "http://localhost:8080", ""],
    ["http://127.0.0.9:1", "http://127.0.0.9:1", ""],
    ["http://[::1]:1", "http://[::1]:1", ""],
    ["http://emulator:1", "http://emulator:1", ""],
  ])("%s is %s", (text, origin, basePath) => {
    expect(parse(text, ["emulator"])).toMatchObject({ origin, basePath });
  });

  test.each([
    ["", "not an address"],
    ["https://", "not an address"],
    ["ftp://ocr.example.com", "not supported"],
    ["https://user:secret@ocr.example.com", "no user"],
    ["https://ocr.example.com/?a=1", "no user, query"],
    ["http://ocr.example.com", "CARDBATCH_ALLOW_HTTP"],
    ["http://localhost.evil.com", "CARDBATCH_ALLOW_HTTP"],
    ["http://127.0.0.1.evil.com", "CARDBATCH_ALLOW_HTTP"],
  ])("%j is refused, naming the setting", (text, words) => {
    expect(() => parse(text)).toThrow(ConfigError);
    expect(() => parse(text)).toThrow(/^CARDBATCH_X_ENDPOINT: /);
    expect(() => parse(text)).toThrow(words);
    expect(() => parse(text)).not.toThrow(/secret/);
  });
});

describe("NO_PROXY", () => {
  const endpoint = parse("https://ocr.example.com:8443");
  test.each([
    "*",
    "ocr.example.com",
    "EXAMPLE.com",
    ".example.com",
    "*.example.com",
    "a.b, example.com:8443",
    "x example.com",
  ])("%j takes the host out", (noProxy) => expect(bypassesProxy(endpoint, noProxy)).toBe(true));
  test.each(["", "ample.com", "example.com:443", "cr.example.com", ".", "ocr.example.com.evil"])(
    "%j does not",
    (noProxy) => expect(bypassesProxy(endpoint, noProxy)).toBe(false),
  );
  test("plain http is never proxied", () => expect(bypassesProxy(parse("http://127.0.0.1:1"), "")).toBe(true));
});

test("HTTPS_PROXY may lack its scheme, and must be an address", () => {
  expect(parseProxy("proxy:3128")?.href).toBe("http://proxy:3128/");
  expect(parseProxy("")).toBeNull();
  expect(() => parseProxy("http://user:secret@")).toThrow(/^HTTPS_PROXY: not an address/);
  expect(() => parseProxy("ftp://proxy")).toThrow(/^HTTPS_PROXY: ftp: is not supported/);
});
