import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "csv-parse/sync";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { OutcomeRecord } from "../../src/domain/record.js";
import {
  AUTH_WAYS,
  callerSettings,
  openPlace,
  type Place,
  type RunningEmulator,
  readOut,
  startEmulator,
} from "../helpers/cli.js";

const SAMPLES = fileURLToPath(new URL("../../samples", import.meta.url));
const IMAGE = /\.(jpe?g|png|bmp|tiff?|webp)$/i;

let place: Place;
let emulator: RunningEmulator;

beforeAll(async () => {
  place = openPlace();
  await place.run(["keys", "init"]);
  emulator = await startEmulator(place, ["--answer", "engine"]);
});
afterAll(() => place.close());

/** Revealed records by source and page, of both files of a folder. */
async function reveal(out: string): Promise<Map<string, { outcome: string; number: string | null }>> {
  const pages = new Map<string, { outcome: string; number: string | null }>();
  for (const file of ["results.ndjson", "failures.ndjson"]) {
    const { code, stdout, stderr } = await place.run(["reveal", join(out, file), "--reason", "test"]);
    expect(code, stderr).toBe(0);
    for (const line of stdout.split("\n").filter((text) => text !== "")) {
      const record = JSON.parse(line) as OutcomeRecord & { image: { sourceValue?: string } };
      const number = (record.cards[0]?.number as { value?: string } | null | undefined)?.value ?? null;
      pages.set(`${record.image.sourceValue ?? record.image.source}#${record.image.page}`, {
        outcome: record.outcome,
        number,
      });
    }
  }
  return pages;
}

describe("the samples", () => {
  it("are read by the embedded engine: every image has one line, and what is accepted is right", {
    timeout: 120_000,
  }, async () => {
    const args = ["run", SAMPLES, "--provider", "local", "--out", "out-local", "--tolerate-failures"];
    const { code, stderr } = await place.run(args);
    expect(code, stderr).toBe(0);
    const { all, failures } = readOut(place.path("out-local"));
    const read = await reveal("out-local");
    const files = (await readdir(SAMPLES, { recursive: true })).filter((name) => IMAGE.test(name));
    expect([...new Set([...read.keys()].map((page) => page.split("#")[0]))].sort()).toEqual(files.sort());
    expect(all.length).toBe(read.size);
    expect(failures.filter(({ outcome }) => outcome === "failed").map(({ code: its }) => its)).toEqual([
      "image-corrupt",
    ]);
    expect(all.filter(({ outcome }) => outcome === "duplicate").length).toBe(1);

    const truth = parse(await readFile(join(SAMPLES, "truth.csv")), { columns: true }) as Record<string, string>[];
    const numbers = new Map(truth.map(({ file, page, number }) => [`${file}#${page}`, number]));
    for (const [page, { outcome, number }] of read) {
      if (outcome === "accepted") expect(`${page} ${number}`).toBe(`${page} ${numbers.get(page)}`);
    }
  });

  it.each(AUTH_WAYS)(
    "give the same numbers through the vendors' wire formats, authenticated by %s",
    { timeout: 120_000 },
    async (way) => {
      const { provider, env } = callerSettings(emulator.url, way);
      const out = `out-${way}`;
      const args = [
        "run",
        SAMPLES,
        "--provider",
        provider,
        "--rate",
        "100",
        "--concurrency",
        "4",
        "--batch",
        way,
        "--out",
        out,
      ];
      const { code, stderr } = await place.run([...args, "--refresh", "--tolerate-failures"], env);
      expect(code, stderr).toBe(0);
      const numbers = (pages: Awaited<ReturnType<typeof reveal>>) =>
        [...pages].map(([page, { number }]) => `${page} ${number}`).sort();
      expect(numbers(await reveal(out))).toEqual(numbers(await reveal("out-local")));
    },
  );

  it("leave one audit line each time they are revealed, and no number in it", async () => {
    const audit = await readFile(join(place.env.HOME ?? "", ".config/cardbatch/reveal-audit.ndjson"), "utf8");
    const before = audit.trim().split("\n").length;
    await place.run(["reveal", "out-local/results.ndjson", "--reason", "once more"]);
    const lines = (await readFile(join(place.env.HOME ?? "", ".config/cardbatch/reveal-audit.ndjson"), "utf8"))
      .trim()
      .split("\n");
    expect(lines.length).toBe(before + 1);
    expect(JSON.parse(lines.at(-1) ?? "")).toMatchObject({ reason: "once more" });
    expect(lines.at(-1)).not.toMatch(/\d{13,}/);
  });

  it("are shown without numbers by recognize, unless it is told otherwise", async () => {
    const image = join(SAMPLES, "flat", "card-01.jpg");
    const [masked, revealed] = await Promise.all([
      place.run(["recognize", image]),
      place.run(["recognize", image, "--reveal"]),
    ]);
    expect(masked.code).toBe(0);
    expect(masked.stdout).not.toMatch(/\d{12,}/);
    expect(revealed.stdout).toMatch(/"value":"\d{15,19}"/);
  });
});
