import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";

const CARD = { width: 1012, height: 638 };
const DIFFERENT = 8;
const PER_FOLDER = 500;

/** JPEGs of about 200 kB that every vendor takes as they are, each of other bytes: drawn cards of gradient and noise. */
export async function drawPictures(folder, count) {
  const drawn = await Promise.all(Array.from({ length: DIFFERENT }, (_, seed) => draw({ ...CARD, noise: 38, seed })));
  await writeNumbered(folder, count, drawn);
}

/** As many as one likes at a few hundred bytes each, for figures that are not about bytes. */
export async function drawTiny(folder, count) {
  await writeNumbered(folder, count, [await draw({ width: 48, height: 32, noise: 0, seed: 1 })]);
}

/** One that is too large for a vendor and has to be resized: 12 megapixels. */
export function drawOversized() {
  return draw({ width: 4000, height: 3000, noise: 16, seed: 12 });
}

async function draw({ width, height, noise, seed }) {
  const pixels = Buffer.allocUnsafe(width * height * 3);
  let state = seed + 1;
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
      const grain = (((state >>> 16) & 0xff) / 255 - 0.5) * noise;
      pixels[at++] = 60 + (140 * x) / width + grain;
      pixels[at++] = 80 + (90 * y) / height + grain;
      pixels[at++] = 190 - (100 * x) / width + grain;
    }
  }
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: 90 })
    .toBuffer();
}

async function writeNumbered(folder, count, drawn) {
  for (let i = 0; i < count; i++) {
    const inner = join(folder, String(Math.floor(i / PER_FOLDER)).padStart(4, "0"));
    if (i % PER_FOLDER === 0) await mkdir(inner, { recursive: true });
    await writeFile(join(inner, `${String(i).padStart(7, "0")}.jpg`), numbered(drawn[i % drawn.length], i));
  }
}

/** The same picture with a comment segment behind its first marker (ITU-T T.81, B.2.4.5). */
function numbered(jpeg, number) {
  const comment = Buffer.from(`number ${number}`);
  const head = Buffer.from([0xff, 0xfe, 0, comment.length + 2]);
  return Buffer.concat([jpeg.subarray(0, 2), head, comment, jpeg.subarray(2)]);
}
