import { Command } from "commander";
import { describe, expect, test } from "vitest";
import {
  addRunOptions,
  applyRunOptions,
  batchTerms,
  defaultBatchName,
  namedProviders,
  narrowRunOptions,
  parsePort,
  parseTime,
  parseWhole,
  type RunOptions,
} from "../../src/cli/run-options.js";
import { loadConfig } from "../../src/config/load-config.js";
import type { ProviderName } from "../../src/domain/answer.js";
import { ConfigError, UsageError } from "../../src/domain/errors.js";
import { nameSchema } from "../../src/domain/payload.js";
import { localTimeZone } from "../../src/domain/window.js";
import type { ImageSource } from "../../src/intake/source.js";
import { cardNumber } from "../helpers/card-numbers.js";

const parse = (...args: string[]): RunOptions => {
  const command = addRunOptions(new Command().exitOverride().configureOutput({ writeErr: () => {} }));
  return command.parse(args, { from: "user" }).opts<RunOptions>();
};
const config = (env: Record<string, string> = {}) => loadConfig(env, undefined);

describe("run's options", () => {
  test("have defaults", () => {
    expect(parse()).toEqual({ out: "out", backlog: 1000, patience: 1_800_000, encoding: "utf-8" });
  });

  test("are taken in their units", () => {
    const args =
      "--provider huawei,local --out o --batch b.1 --csv --rate 20/s --concurrency 8 --limit 5 --backlog 1 --refresh";
    expect(parse(...args.split(" "), "--patience", "90s", "--destination", "crm", "--tolerate-failures")).toMatchObject(
      {
        provider: "huawei,local",
        batch: "b.1",
        csv: true,
        rate: { perSecond: 20, perMinute: null, perDay: null },
        concurrency: 8,
        limit: 5,
        backlog: 1,
        refresh: true,
        patience: 90_000,
        destination: "crm",
        tolerateFailures: true,
      },
    );
  });

  test.each([
    ["--rate", "0"],
    ["--rate", "fast"],
    ["--rate", "20/m"],
    ["--limit", "0"],
    ["--limit", "1.5"],
    ["--limit", "-1"],
    ["--concurrency", "many"],
    ["--backlog", "0"],
    ["--patience", "30"],
    ["--patience", "soon"],
    ["--batch", "a:b"],
    ["--batch", ""],
    ["--batch", "a/b"],
    ["--batch", cardNumber()],
    ["--destination", "a b"],
    ["--batch", "x".repeat(129)],
  ])("%s %s is refused", (option, value) => {
    expect(() => parse(option, value)).toThrow(expect.objectContaining({ code: "commander.invalidArgument" }));
  });
});

describe("a command that some of run's options mean nothing to", () => {
  const narrow = (...args: string[]) => {
    const told: string[] = [];
    const command = addRunOptions(new Command("worker").exitOverride()).action(() => {});
    narrowRunOptions(command, ["provider", "maxCalls"], (text) => told.push(text)).parse(args, { from: "user" });
    return { told, help: command.helpInformation(), options: command.opts<RunOptions>() };
  };

  test("shows the others only", () => {
    const { help } = narrow();
    expect(help).toMatch(/--provider[\s\S]*--max-calls/);
    expect(help).not.toMatch(/--out|--budget|--patience/);
  });

  test("takes these, and says that it leaves them alone", () => {
    const { told, options } = narrow("--provider", "local", "--budget", "5", "--csv");
    expect(told).toEqual(["worker leaves --csv, --budget alone"]);
    expect(options).toMatchObject({ provider: "local", csv: true });
    expect(narrow("--max-calls", "5").told).toEqual([]);
  });
});

test.each([
  [parseWhole, "7", 7],
  [parsePort, "0", 0],
  [parsePort, "65535", 65_535],
  [parseTime, "2h", 7_200_000],
])("%o takes %s", (read, text, value) => {
  expect(read(text)).toBe(value);
});

test.each(["-1", "65536", "1.5", "http"])("%s is no port", (text) => {
  expect(() => parsePort(text)).toThrow();
});

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

  test.each(["--max-calls -1", "--max-calls 1.5", "--max-calls many", "--budget -5", "--budget 1e3", "--budget 5EUR"])(
    "%s is refused",
    (line) => expect(() => terms(line)).toThrow(/argument '.*' is invalid/),
  );
});
