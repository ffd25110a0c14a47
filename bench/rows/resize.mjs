import sharp from "sharp";
import { alternate, median, round } from "../lib/figures.mjs";
import { drawOversized } from "../lib/pictures.mjs";

/** Of a vendor that takes no more than this. */
const BOUNDS = { formats: ["jpeg"], minSide: 15, maxSide: 2048, maxBase64Bytes: 10_000_000 };

/** Preparing a picture that is too large, and sharp doing the same with nothing around it. */
export const resizeRow = {
  name: "resize",
  what: `JPEG of 12 megapixels to ${BOUNDS.maxSide} pixels`,
  measure: async (place, scale) => {
    const { prepareImage } = await place.load("image/prepare-image.js");
    const bytes = await drawOversized();
    const { signal } = new AbortController();
    const prepare = () => prepareImage(bytes, 0, BOUNDS, signal);
    const alone = () =>
      sharp(bytes, { autoOrient: true, sequentialRead: true })
        .resize({ width: BOUNDS.maxSide, height: BOUNDS.maxSide, fit: "inside" })
        .flatten({ background: "white" })
        .jpeg({ quality: 92, chromaSubsampling: "4:4:4" })
        .toBuffer();
    for (const act of [alone, prepare]) await act();
    const [bare, prepared] = await alternate(
      scale.resizes,
      () => timed(alone),
      () => timed(prepare),
    );
    const ratio = median(prepared) / median(bare);
    return {
      value: round(ratio),
      measured: `${median(prepared).toFixed(0)} ms = ${ratio.toFixed(2)} ×`,
      beside: `sharp alone ${median(bare).toFixed(0)} ms`,
      goal: "≤ 1.05 ×",
      met: ratio <= 1.05,
      rounds: { prepared, bare },
    };
  },
};

async function timed(act) {
  const startedAt = performance.now();
  await act();
  return performance.now() - startedAt;
}
