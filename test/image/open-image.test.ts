import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ImageError } from "../../src/domain/errors.js";
import { digestImage, openImage } from "../../src/image/open-image.js";

/** In every name, so that a message which holds a name is found out. */
const SECRET = "secret-name";
const CONTENT = Buffer.from("not a picture, but bytes");

let base: string;
let root: string;
const socket = createServer();

beforeAll(async () => {
  base = realpathSync(mkdtempSync(join(tmpdir(), "open-image-")));
  root = join(base, "archive");
  mkdirSync(join(root, `folder-${SECRET}`), { recursive: true });
  mkdirSync(`${root}-evil`);
  writeFileSync(join(root, `${SECRET}.jpg`), CONTENT);
  writeFileSync(join(root, `${SECRET}-empty.jpg`), "");
  writeFileSync(join(base, `${SECRET}-outside.jpg`), CONTENT);
  writeFileSync(join(`${root}-evil`, `${SECRET}.jpg`), CONTENT);
  symlinkSync(`${SECRET}.jpg`, join(root, `${SECRET}-link.jpg`));
  symlinkSync(join(base, `${SECRET}-outside.jpg`), join(root, `${SECRET}-link-out.jpg`));
  symlinkSync(base, join(root, `${SECRET}-folder-out`));
  symlinkSync(`${SECRET}-loop`, join(root, `${SECRET}-loop`));
  symlinkSync("/dev/null", join(root, `${SECRET}-device`));
  execFileSync("mkfifo", [join(root, `${SECRET}-pipe`)]);
  await new Promise<void>((resolve) => socket.listen(join(root, `${SECRET}-socket`), resolve));
});

afterAll(() => {
  socket.close();
  rmSync(base, { recursive: true, force: true });
});

function failure(path: string, options = {}): ImageError {
  try {
    openImage(path, options);
  } catch (error) {
    expect(error).toBeInstanceOf(ImageError);
    return error as ImageError;
  }
  return expect.unreachable("it was opened");
}

describe("openImage", () => {
  it("reads a regular file, and through a link that stays inside the root", () => {
    expect(openImage(join(root, `${SECRET}.jpg`))).toEqual(CONTENT);
    expect(openImage(join(root, `${SECRET}-link.jpg`), { root })).toEqual(CONTENT);
    expect(openImage(join(root, `${SECRET}.jpg`), { root: "/" })).toEqual(CONTENT);
  });

  it.each([
    ["image-not-found", "missing.jpg"],
    ["image-not-found", `${SECRET}.jpg/below-a-file.jpg`],
    ["image-not-found", `${SECRET}-loop`],
    ["image-not-found", "x".repeat(300)],
    ["image-not-found", "nul\0.jpg"],
    ["image-not-a-file", `folder-${SECRET}`],
    ["image-not-a-file", `${SECRET}-pipe`],
    ["image-not-a-file", `${SECRET}-socket`],
    ["image-empty", `${SECRET}-empty.jpg`],
    ["image-outside-root", `${SECRET}-link-out.jpg`],
    ["image-outside-root", `${SECRET}-folder-out/${SECRET}-outside.jpg`],
    ["image-outside-root", `../${SECRET}-outside.jpg`],
    ["image-outside-root", `../archive-evil/${SECRET}.jpg`],
    ["image-outside-root", `${SECRET}-device`],
  ])("refuses with %s: %s", (code, name) => {
    const error = failure(`${root}/${name}`, { root });
    expect(error.code).toBe(code);
    expect(JSON.stringify([error.message, error.stack, error.details, error.cause])).not.toContain(SECRET);
  });

  it("refuses a device even where no root is set", () => {
    expect(failure(join(root, `${SECRET}-device`)).code).toBe("image-not-a-file");
  });

  it("refuses what is larger than the limit, and takes what just fits", () => {
    const path = join(root, `${SECRET}.jpg`);
    expect(failure(path, { maxBytes: CONTENT.length - 1 }).code).toBe("image-too-large");
    expect(openImage(path, { maxBytes: CONTENT.length })).toEqual(CONTENT);
  });

  it.skipIf(process.getuid?.() === 0)("refuses a file that may not be read", () => {
    const path = join(root, `${SECRET}-locked.jpg`);
    writeFileSync(path, CONTENT, { mode: 0o000 });
    expect(failure(path).code).toBe("image-unreadable");
  });

  it("reads into memory that it is given, where the file fits", () => {
    const path = join(root, `${SECRET}.jpg`);
    const into = Buffer.alloc(CONTENT.length);
    expect(openImage(path, { into }).buffer).toBe(into.buffer);
    expect(into).toEqual(CONTENT);
    expect(openImage(path, { into: into.subarray(1) })).toEqual(CONTENT);
  });

  it.runIf(process.platform === "linux")("leaves no descriptor open, whatever happens", () => {
    const path = join(root, `${SECRET}.jpg`);
    openImage(path, { root });
    failure(path, { maxBytes: 1 });
    failure(join(root, `folder-${SECRET}`));
    failure(join(root, `${SECRET}-pipe`));
    expect(openPaths().filter((opened) => opened.startsWith(base))).toEqual([]);
  });
});

/** What the descriptors of this process lead to; the one that lists them is gone by the time it is asked. */
function openPaths(): string[] {
  return readdirSync("/proc/self/fd").flatMap((descriptor) => {
    try {
      return [readlinkSync(`/proc/self/fd/${descriptor}`)];
    } catch {
      return [];
    }
  });
}

describe("digestImage", () => {
  it("is the SHA-256 of the bytes in lower-case hex", () => {
    expect(digestImage(CONTENT)).toBe(`sha256:${createHash("sha256").update(CONTENT).digest("hex")}`);
  });
});
