import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { openImage } from "../../src/image/open-image.js";
import type { Listed } from "../../src/intake/source.js";
import { walkFolder } from "../../src/intake/walk-folder.js";
import { asNobody } from "../helpers/as-nobody.js";
import { collect } from "../helpers/collect.js";
import { addFiles, tempFolder } from "../helpers/temp-folder.js";

const never = () => new AbortController().signal;

/** Name → problem's code of everything listed; `"ignored"` counts the rest. */
async function walk(folder: string): Promise<Record<string, string | number | null>> {
  let ignored = 0;
  const onIgnored = () => {
    ignored++;
  };
  const all = await collect(walkFolder({ folder, onIgnored, signal: never() }));
  return { ...Object.fromEntries(all.map(({ source, problem }) => [source, problem?.code ?? null])), ignored };
}

describe("walkFolder", () => {
  test("lists images by their ending and what has none, and says of the rest that it was ignored", async () => {
    const images = ["a.jpg", "B.JPEG", "c.tif", "d.webp", "e.pdf", "f.heic", "no-ending", "odd.dat", "deep/er/g.png"];
    const others = ["a.txt", "list.csv", "results.ndjson", ".hidden.jpg", ".cache/h.jpg"];
    const folder = tempFolder(Object.fromEntries([...images, ...others].map((name) => [name, "x"])));
    const all = await collect(walkFolder({ folder, onIgnored: () => {}, signal: never() }));
    expect(all.map(({ source }) => source).toSorted()).toEqual(images.toSorted());
    expect(
      all
        .filter(({ unsure }) => unsure)
        .map(({ source }) => source)
        .toSorted(),
    ).toEqual(["no-ending", "odd.dat"]);
    // `.cache` counts once: nobody looks into it.
    expect((await walk(folder)).ignored).toBe(others.length);
  });

  test("follows links to files inside and nowhere else", async () => {
    const folder = tempFolder({ "inside/a.jpg": "x", "loop/b.jpg": "x" });
    const outside = tempFolder({ "secret.jpg": "x", "folder/c.jpg": "x" });
    const link = (target: string, name: string) => symlinkSync(target, join(folder, name));
    link("inside/a.jpg", "to-file.jpg");
    link("inside", "to-folder");
    link("..", "loop/up");
    link("self.jpg", "self.jpg");
    link("gone.jpg", "dangling.jpg");
    link("gone.txt", "dangling.txt");
    link(join(outside, "secret.jpg"), "out.jpg");
    link(join(outside, "folder"), "out-folder");
    link("/dev/zero", "device.jpg");
    expect(await walk(folder)).toEqual({
      "inside/a.jpg": null,
      "loop/b.jpg": null,
      "to-file.jpg": null,
      "self.jpg": "image-not-found",
      "dangling.jpg": "image-not-found",
      "out.jpg": "image-outside-root",
      "out-folder": "image-outside-root",
      "device.jpg": "image-outside-root",
      ignored: 3,
    });
  });

  test("neither opens nor waits for pipes and sockets", async () => {
    const folder = tempFolder();
    execFileSync("mkfifo", [join(folder, "pipe.jpg"), join(folder, "pipe"), join(folder, "pipe.txt")]);
    const server = createServer();
    onTestFinished(() => void server.close());
    await new Promise<void>((listening) => server.listen(join(folder, "socket.png"), listening));
    const code = "image-not-a-file";
    expect(await walk(folder)).toEqual({ "pipe.jpg": code, pipe: code, "socket.png": code, ignored: 1 });
  });

  test.skipIf(process.platform !== "linux")(
    "tells names that are not UTF-8, each as one that no other has",
    async () => {
      const folder = tempFolder({ "caf%e9.jpg": "x" });
      const add = (name: string) => Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(name, "latin1")]);
      for (const name of ["caf\xe9.jpg", "caf\xe8.jpg", "100%\xff", "caf\xe9.txt", ".\xe9.jpg"]) {
        writeFileSync(add(name), "x");
      }
      mkdirSync(add("d\xe9p"));
      writeFileSync(add("d\xe9p/a.jpg"), "x");
      const code = "image-name-encoding";
      expect(await walk(folder)).toEqual({
        "caf%e9.jpg": null,
        "caf%e8.jpg": code,
        "100%25%ff": code,
        "d%e9p": code,
        // The two that are told as "caf%e9.jpg" are one key here.
        ignored: 2,
      });
      const all = await collect(walkFolder({ folder, onIgnored: () => {}, signal: never() }));
      expect(new Set(all.map(({ path }) => path)).size).toBe(all.length);
    },
  );

  test("tells a folder that it may not list, and goes on", async () => {
    const folder = tempFolder({ "a/x.jpg": "x", "c/y.jpg": "x" });
    mkdirSync(join(folder, "b"), { mode: 0 });
    expect(await asNobody(() => walk(folder))).toEqual({
      "a/x.jpg": null,
      b: "image-unreadable",
      "c/y.jpg": null,
      ignored: 0,
    });
  });

  test("tells a folder that vanished meanwhile, and goes on", async () => {
    const folder = tempFolder({ "a/x.jpg": "x", "b/y.jpg": "x", "c/z.jpg": "x" });
    const seen: Listed[] = [];
    for await (const listed of walkFolder({ folder, onIgnored: () => {}, signal: never() })) {
      if (seen.push(listed) > 1) continue;
      for (const name of readdirSync(folder))
        if (!listed.source.startsWith(name)) rmSync(join(folder, name), { recursive: true });
    }
    expect(seen.map(({ problem }) => problem?.code ?? null)).toEqual([null, "image-not-found", "image-not-found"]);
  });

  test("reads a folder's entries only when it gets there", async () => {
    const folder = tempFolder({ "a/1.jpg": "x", "b/1.jpg": "x" });
    const names: string[] = [];
    for await (const { source } of walkFolder({ folder, onIgnored: () => {}, signal: never() })) {
      const [visited] = source.split("/");
      if (names.length === 0) addFiles(folder, { [visited === "a" ? "b/late.jpg" : "a/late.jpg"]: "x" });
      names.push(source);
    }
    expect(names).toHaveLength(3);
  });

  test("what a folder exchanged for a link leads to is listed, and refused when it is opened", async () => {
    const folder = tempFolder({ "a/1.jpg": "x", "b/1.jpg": "x" });
    const outside = tempFolder({ "secret.jpg": "x" });
    const all: Listed[] = [];
    for await (const listed of walkFolder({ folder, onIgnored: () => {}, signal: never() })) {
      if (all.push(listed) > 1) continue;
      const other = listed.source.startsWith("a") ? "b" : "a";
      rmSync(join(folder, other), { recursive: true });
      symlinkSync(outside, join(folder, other));
    }
    expect(all).toHaveLength(2);
    const [first, second] = all.map(
      ({ path, root }) =>
        () =>
          openImage(path, { root }).toString(),
    );
    expect(first?.()).toBe("x");
    expect(second).toThrow(expect.objectContaining({ code: "image-outside-root" }));
  });

  test("lists 5,000 files", async () => {
    const folder = tempFolder(Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`${i % 50}/${i}.jpg`, ""])));
    const all = await collect(walkFolder({ folder, onIgnored: () => {}, signal: never() }));
    expect(new Set(all.map(({ source }) => source)).size).toBe(5000);
  });
});
