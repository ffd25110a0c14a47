import type { ImageBounds } from "../../domain/image.js";

/** https://support.huaweicloud.com/api-ocr/ocr_03_0104.html; of "10 MB" the smaller reading. */
export const HUAWEI_BOUNDS: ImageBounds = {
  formats: ["jpeg", "png", "bmp", "tiff"],
  minSide: 15,
  maxSide: 8192,
  maxBase64Bytes: 10_000_000,
};
