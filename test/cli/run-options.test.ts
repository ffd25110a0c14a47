import { Command } from "commander";
import { describe, expect, test } from "vitest";
import { addSomeRunOptions, type RunOptions } from "../../src/cli/run-options.js";
import { cardNumber } from "../helpers/card-numbers.js";
import { parseRunOptions as parse } from "../helpers/run-options.js";

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
    ["--max-calls", "-1"],
    ["--max-calls", "1.5"],
    ["--max-calls", "many"],
    ["--budget", "-5"],
    ["--budget", "1e3"],
    ["--budget", "5EUR"],
    ["--encoding", "klingon"],
    ["--batch", "x".repeat(129)],
  ])("%s %s is refused", (option, value) => {
    expect(() => parse(option, value)).toThrow(expect.objectContaining({ code: "commander.invalidArgument" }));
  });
});

describe("a command that some of run's options mean nothing to", () => {
  const narrow = (...args: string[]) => {
    const told: string[] = [];
    const command = new Command("worker").exitOverride().action(() => {});
    addSomeRunOptions(command, ["provider", "maxCalls"], (text) => told.push(text)).parse(args, { from: "user" });
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
