import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  AUTH_WAYS,
  callerSettings,
  drawArchive,
  openPlace,
  type Place,
  type RunningEmulator,
  readOut,
  readSummary,
  startEmulator,
} from "../helpers/cli.js";

const PAGES = 12;
let place: Place;
let emulator: RunningEmulator;

beforeAll(async () => {
  place = openPlace();
  await drawArchive(place.path("archive"), PAGES);
  await place.run(["keys", "init"]);
  emulator = await startEmulator(place);
});
afterAll(() => place.close());

describe("run", () => {
  it.each(AUTH_WAYS)("reads an archive, authenticated by %s", async (way) => {
    const { provider, env } = callerSettings(emulator.url, way);
    const out = place.path(`out-${way}`);
    const args = ["run", "archive", "--provider", provider, "--rate", "200", "--batch", way, "--out", out, "--refresh"];
    const { code, stderr } = await place.run(args, env);
    expect(stderr).not.toMatch(/fault/);
    expect(code).toBe(0);
    const { results } = readOut(out);
    expect(results.map(({ outcome }) => outcome)).toEqual(Array(PAGES).fill("accepted"));
    expect(readSummary(out)).toMatchObject({
      found: PAGES,
      accepted: PAGES,
      calls: PAGES,
      billableCalls: PAGES,
      complete: true,
    });
  });

  it("gives the same numbers by every way", () => {
    const fingerprints = (way: string) =>
      readOut(place.path(`out-${way}`))
        .results.map(({ image, cards }) => `${image.source} ${cards[0]?.number?.fingerprint}`)
        .sort();
    for (const way of AUTH_WAYS) expect(fingerprints(way)).toEqual(fingerprints("token"));
  });

  it.each([
    ["token", { CARDBATCH_HUAWEI_TOKEN: "wrong" }, "CARDBATCH_HUAWEI_TOKEN"],
    ["aksk", { CARDBATCH_HUAWEI_SECRET_KEY: "wrong" }, "CARDBATCH_HUAWEI_SECRET_KEY"],
    ["iam", { CARDBATCH_HUAWEI_IAM_PASSWORD: "wrong" }, "CARDBATCH_HUAWEI_IAM_PASSWORD"],
    ["appcode", { CARDBATCH_SHILIUAI_APP_CODE: "wrong" }, "CARDBATCH_SHILIUAI_APP_CODE"],
    ["signature", { CARDBATCH_SHILIUAI_APP_SECRET: "wrong" }, "CARDBATCH_SHILIUAI_APP_SECRET"],
  ] as const)("ends with exit 5 and names the setting when %s credentials are wrong", async (way, wrong, setting) => {
    const { provider, env } = callerSettings(emulator.url, way);
    const before = (await emulator.report()).totals.calls;
    const args = [
      "run",
      "archive",
      "--provider",
      provider,
      "--batch",
      `wrong-${way}`,
      "--out",
      "out-wrong",
      "--refresh",
    ];
    const { code, stderr } = await place.run(args, { ...env, ...wrong });
    expect(code).toBe(5);
    expect(stderr).toContain(setting);
    expect((await emulator.report()).totals.calls - before).toBeLessThanOrEqual(2);
  });
});
