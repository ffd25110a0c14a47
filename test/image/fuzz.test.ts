import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { ImageError } from "../../src/domain/errors.js";
import { decodeBmp } from "../../src/image/bmp.js";
import { countPages, inspectPage } from "../../src/image/inspect-page.js";
import { prepareImage } from "../../src/image/prepare-image.js";
import { BOUNDS, buildBmp, buildTiff, NEVER, sampleFiles, sharpPhoto } from "./fixtures.js";

/** Whatever bytes come in, what comes out is a picture within bounds or an ImageError; and it comes soon. */

let seeds: readonly Buffer[];
beforeAll(async () => {
  const rle = { width: 24, height: 20, bitsPerPixel: 8, compression: 1, palette: [[9, 9, 9]] as const };
  seeds = [
    ...Object.values(await sampleFiles(24, 20)),
    await sharpPhoto(24, 20).withMetadata({ orientation: 6 }).jpeg().toBuffer(),
    await sharpPhoto(24, 20).tiff({ bigtiff: true, compression: "none" }).toBuffer(),
    buildTiff(Array(3).fill({ width: 24, height: 20, grey: 99 }), { bigEndian: true }),
    buildBmp({ ...rle, pixels: Buffer.from([...Array(20).fill([24, 0, 0, 0]).flat(), 0, 1]) }),
    buildBmp({
      width: 24,
      height: 20,
      bitsPerPixel: 16,
      compression: 3,
      masks: [0xf800, 0x7e0, 31],
      pixels: Buffer.alloc(960, 5),
    }),
  ];
});

const INTERESTING = [0, 1, 0x7f, 0x80, 0xff];
/** Spread evenly, where fast-check would favour the ends. */
const place = fc.noBias(fc.integer({ min: 0, max: 999_999 })).map((millionths) => millionths / 1e6);
const edit = fc.record({
  at: place,
  bytes: fc.uint8Array({ minLength: 1, maxLength: 4 }).map((bytes) => Buffer.from(bytes)),
  interesting: fc.option(fc.constantFrom(...INTERESTING)),
  isHeader: fc.boolean(),
});
const mutation = fc.record({
  seed: fc.noBias(fc.nat()),
  edits: fc.array(edit, { minLength: 1, maxLength: 6 }),
  cutTo: fc.oneof({ weight: 9, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: place }),
});

/** Half of the edits hit the first 200 bytes, where the lies are. */
function mutate({ seed, edits, cutTo }: typeof mutation extends fc.Arbitrary<infer T> ? T : never): Buffer {
  const bytes = Buffer.from(seeds[seed % seeds.length] ?? Buffer.alloc(0));
  for (const { at, bytes: patch, interesting, isHeader } of edits) {
    const range = isHeader ? Math.min(200, bytes.length) : bytes.length;
    const position = Math.min(Math.floor(at * range), bytes.length - patch.length);
    if (interesting === null) bytes.set(patch, position);
    else bytes.fill(interesting, position, position + patch.length);
  }
  return bytes.subarray(0, Math.floor(cutTo * bytes.length));
}

function swallowImageError(work: () => unknown): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
  }
}

const FUZZ = { seed: 20261122, endOnFailure: true };

describe("hostile bytes", () => {
  it("never make the inspection throw anything but an ImageError", () => {
    const property = fc.property(
      fc.oneof(
        mutation.map(mutate),
        fc.uint8Array({ maxLength: 300 }).map((b) => Buffer.from(b)),
      ),
      (bytes) => {
        for (const page of [0, 1, 2]) swallowImageError(() => inspectPage(bytes, page));
        swallowImageError(() => countPages(bytes));
        swallowImageError(() => decodeBmp(bytes));
      },
    );
    fc.assert(property, { ...FUZZ, numRuns: 5000 });
  });

  it("are prepared within bounds or refused with an ImageError", async () => {
    const bounds = { ...BOUNDS, formats: ["jpeg"] as const, maxSide: 18, maxBase64Bytes: 4000 };
    const property = fc.asyncProperty(mutation.map(mutate), async (bytes) => {
      const outcome = await prepareImage(bytes, 0, bounds, NEVER).catch((error: unknown) => error);
      if (outcome instanceof ImageError) return;
      expect(outcome).toMatchObject({ format: "jpeg", untouched: false });
      const { width, height, bytes: sent } = outcome as Awaited<ReturnType<typeof prepareImage>>;
      expect(Math.max(width, height)).toBeLessThanOrEqual(18);
      expect(Math.min(width, height)).toBeGreaterThanOrEqual(15);
      expect(sent.toString("base64").length).toBeLessThanOrEqual(4000);
    });
    await fc.assert(property, { ...FUZZ, numRuns: 400 });
  });
});
