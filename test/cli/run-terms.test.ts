import { describe, expect, test } from "vitest";
import { applyRunOptions, batchTerms, defaultBatchName, namedProviders } from "../../src/cli/run-terms.js";
import { loadConfig } from "../../src/config/load-config.js";
import type { ProviderName } from "../../src/domain/answer.js";
import { ConfigError, UsageError } from "../../src/domain/errors.js";
import { nameSchema } from "../../src/domain/payload.js";
import { localTimeZone } from "../../src/domain/window.js";
import type { ImageSource } from "../../src/intake/source.js";
import { cardNumber } from "../helpers/card-numbers.js";
import { parseRunOptions as parse } from "../helpers/run-options.js";

const config = (env: Record<string, string> = {}) => loadConfig(env, undefined);

describe("namedProviders", () => {
  test.each<[string | undefined, Record<string, string>, string[]]>([
    ["huawei", {}, ["huawei"]],
    [" shiliuai , huawei,", {}, ["shiliuai", "huawei"]],
    ["local,huawei,local", {}, ["local", "huawei"]],
    ["local", { CARDBATCH_PROVIDER: "huawei" }, ["local"]],
    [undefined, { CARDBATCH_PROVIDER: "huawei, local" }, ["huawei", "local"]],
  ])("%j with %o", (option, env, names) => {
    expect(namedProviders(option, config(env))).toEqual(names);
  });

  test.each<[string | undefined, Record<string, string>]>([
    [undefined, {}],
    ["", {}],
    [" , ", { CARDBATCH_PROVIDER: "local" }],
    [undefined, { CARDBATCH_PROVIDER: "," }],
  ])("none is named by %j with %o, and one that needs no account is offered", (option, env) => {
    expect(() => namedProviders(option, config(env))).toThrow(ConfigError);
    expect(() => namedProviders(option, config(env))).toThrow("--provider local");
  });

  test("what is none is refused by where it was named", () => {
    expect(() => namedProviders("local,tencent", config())).toThrow(
      new UsageError("--provider tencent: there are huawei, shiliuai, local"),
    );
    expect(() => namedProviders(undefined, config({ CARDBATCH_PROVIDER: "Huawei" }))).toThrow(
      new ConfigError("CARDBATCH_PROVIDER=Huawei: there are huawei, shiliuai, local"),
    );
  });
});

describe("defaultBatchName", () => {
  const source = (identity: string): ImageSource => ({
    kind: "folder",
    identity,
    folder: "/",
    list: async function* () {},
  });
  const name = (places: string[], providers: ("huawei" | "local")[] = ["local"]) =>
    defaultBatchName(places.map(source), providers);

  test("is the same for the same places, in any order and number", () => {
    expect(name(["/b", "/a", "/b"])).toBe(name(["/a", "/b"]));
    expect(nameSchema.safeParse(name(["/a"])).success).toBe(true);
  });

  test("does not give away a card number in a path", () => {
    const number = cardNumber();
    const masked = `${number.slice(0, 6)}******${number.slice(-4)}`;
    expect(name([`/a/${number}.jpg`])).toBe(name([`/a/${masked}.jpg`]));
  });

  test("is another for other places, other providers, and another order of these", () => {
    const names = [name(["/a"]), name(["/b"]), name(["/a", "/b"]), name(["/a"], ["huawei"])];
    names.push(name(["/a"], ["huawei", "local"]), name(["/a"], ["local", "huawei"]));
    expect(new Set(names).size).toBe(names.length);
  });
});

describe("applyRunOptions", () => {
  test("a rate is that of the providers that were named", () => {
    const before = config({ CARDBATCH_SHILIUAI_RATE: "3", CARDBATCH_HUAWEI_RATE: "4" });
    const after = applyRunOptions(before, parse("--rate", "20"), ["huawei"]);
    expect([after, before].map(({ huawei, shiliuai }) => [huawei.rate?.perSecond, shiliuai.rate?.perSecond])).toEqual([
      [20, 3],
      [4, 3],
    ]);
    expect(applyRunOptions(before, parse(), ["huawei"])).toEqual(before);
  });
});

describe("the terms of a batch", () => {
  const PRICED = { CARDBATCH_HUAWEI_PRICE: "0.05", CARDBATCH_LOCAL_PRICE: "9" };
  const terms = (line: string, env: Record<string, string> = PRICED, provider: ProviderName = "huawei") =>
    batchTerms(parse(...line.split(" ").filter((word) => word !== "")), config(env), [provider, "local"]);
  const prices = { huawei: 50_000 };

  test.each([
    ["", { prices }],
    ["--max-calls 200 --budget 12.5", { prices, maxCalls: 200, budget: 12_500_000 }],
    ["--max-calls 0 --budget none", { prices, maxCalls: 0, budget: null }],
    ["--window none", { prices, window: null }],
    ["--window 22:00-06:00 --tz UTC", { prices, window: { from: 1320, to: 360, tz: "UTC" } }],
  ])("of %j", (line, expected) => expect(terms(line)).toEqual(expected));

  test("a price that is not set leaves the batch the one that it has", () => {
    expect(terms("", {})).toEqual({ prices: {} });
    expect(terms("--window 22:00-06:00", {}).window?.tz).toBe(localTimeZone());
  });

  test("a budget needs a price", () => {
    expect(() => terms("--budget 5", {})).toThrow(ConfigError);
    expect(() => terms("--budget 5", {})).toThrow("CARDBATCH_HUAWEI_PRICE");
    expect(terms("--budget 5", {}, "local")).toEqual({ prices: {}, budget: 5_000_000 });
  });

  test.each([
    ["--window 22-6", "--window 22-6: takes hours such as 22:00-06:00"],
    ["--window 22:00-06:00 --tz Mars/Olympus", "--tz Mars/Olympus: there is no such time zone"],
  ])("%s is refused", (line, message) => {
    expect(() => terms(line)).toThrow(UsageError);
    expect(() => terms(line)).toThrow(message);
  });
});
