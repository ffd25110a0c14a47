const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** A multiple of three, so that the pieces of base64 join; small enough to stay out of the heap's large objects. @unit bytes */
const PIECE_BYTES = 24 * 1024;

/**
 * A JSON body around a picture in base64, built once and without escaping: base64 needs none. It is encoded piece by piece,
 * since strings as long as pictures make the garbage collector go through the whole heap again and again.
 * @param before everything up to and with the opening quote
 * @param after everything from the closing quote on; both ASCII
 */
export function encodeImageBody(before: string, image: Buffer, after: string): Buffer {
  const base64Length = Math.ceil(image.length / 3) * 4;
  const body = Buffer.allocUnsafe(before.length + base64Length + after.length);
  let offset = body.write(before, 0, "latin1");
  for (let from = 0; from < image.length; from += PIECE_BYTES) {
    offset += body.write(image.toString("base64", from, Math.min(from + PIECE_BYTES, image.length)), offset, "latin1");
  }
  body.write(after, offset, "latin1");
  return body;
}

/** A request body with its picture taken out: the other fields, and the picture as base64 (null: it has none). */
export interface ImageBody {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly base64: string | null;
}

/**
 * The server's side of `encodeImageBody`. A body that begins with the picture is cut around it, since parsing 300 kB as
 * JSON takes longer than all the rest; any other is parsed whole.
 * @returns null when it is not a JSON object
 */
export function decodeImageBody(body: Buffer, field: string): ImageBody | null {
  const start = new RegExp(`^\\s*{\\s*"${field}"\\s*:\\s*"`).exec(body.toString("latin1", 0, 100))?.[0].length;
  const end = start === undefined ? -1 : body.indexOf(QUOTE, start);
  if (start !== undefined && end > start && body.indexOf(BACKSLASH) === -1) {
    const fields = parseObject(body.toString("utf8", 0, start) + body.toString("utf8", end));
    if (fields?.[field] === "") return { fields, base64: body.toString("latin1", start, end) };
  }
  const fields = parseObject(body.toString("utf8"));
  if (fields === null) return null;
  const text = fields[field];
  return { fields, base64: typeof text === "string" && text !== "" ? text : null };
}

/** @returns null for what is not base64; decoding skips foreign characters, and then too little comes out */
export function decodeBase64(text: string): Buffer | null {
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const bytes = Buffer.from(text, "base64");
  return text.length % 4 === 0 && bytes.length === (text.length / 4) * 3 - padding ? bytes : null;
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : null;
  } catch {
    return null;
  }
}
