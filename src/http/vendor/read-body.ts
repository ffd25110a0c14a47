import type { IncomingMessage } from "node:http";

/** The body, `"too-large"` (then read to its end all the same, so that the caller hears of it), or null: the caller hung up. */
export function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer | "too-large" | null> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= maxBytes) chunks.push(chunk);
    });
    request.on("end", () => {
      const [first] = chunks;
      resolve(
        size > maxBytes ? "too-large" : chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks),
      );
    });
    request.on("close", () => resolve(null));
    request.on("error", () => resolve(null));
  });
}
