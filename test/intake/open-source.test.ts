import { mkdirSync, symlinkSync } from "node:fs";
import { join, relative } from "node:path";
import { describe, expect, test } from "vitest";
import { UsageError } from "../../src/domain/errors.js";
import { type OpenSourceOptions, openSource } from "../../src/intake/open-source.js";
import { toReference } from "../../src/intake/source.js";
import { describeSource } from "../contract/source-contract.js";
import { asNobody } from "../helpers/as-nobody.js";
import { cardNumber } from "../helpers/card-numbers.js";
import { collect } from "../helpers/collect.js";
import { tempFolder } from "../helpers/temp-folder.js";

const OPTIONS: OpenSourceOptions = { roots: new Map(), encoding: "utf-8" };
const open = (argument: string, options = OPTIONS) => openSource(argument, options);

/** Another way to a folder. */
function linkTo(folder: string): string {
  const link = join(tempFolder(), "link");
  symlinkSync(folder, link);
  return link;
}

async function namesOf(argument: string): Promise<string[]> {
  const source = await open(argument);
  const all = await collect(source.list(() => {}, new AbortController().signal));
  return all
    .filter(({ problem }) => problem === null)
    .map((listed) => listed.source)
    .toSorted();
}

const ARCHIVE = { "a.jpg": "1", "2019/b.PNG": "2", "2019/deep/c": "3", "2020/d e.tif": "4", "notes.txt": "5" };

describeSource("folder", async () => {
  const folder = tempFolder(ARCHIVE);
  const link = linkTo(folder);
  return {
    source: await open(folder),
    sameSource: await open(`${link}/2019/..`),
    otherSource: await open(join(folder, "2019")),
    names: ["a.jpg", "2019/b.PNG", "2019/deep/c", "2020/d e.tif"],
    ignored: 1,
  };
});

describeSource("file", async () => {
  const folder = tempFolder(ARCHIVE);
  symlinkSync(join(folder, "2020/d e.tif"), join(folder, "link.tif"));
  return {
    source: await open(join(folder, "2020/d e.tif")),
    sameSource: await open(join(folder, "link.tif")),
    otherSource: await open(join(folder, "a.jpg")),
    names: ["d e.tif"],
    ignored: 0,
  };
});

describeSource("glob", async () => {
  const folder = tempFolder({ ...ARCHIVE, "2019/x.jpg": "6", "2021/y.jpg": "7" });
  return {
    source: await open(`${folder}/{2019,2020,2021}/*`),
    sameSource: await open(`${relative(process.cwd(), folder)}/{2019,2020,2021}/*`),
    otherSource: await open(`${folder}/**`),
    names: ["2019/b.PNG", "2019/x.jpg", "2020/d e.tif", "2021/y.jpg"],
    ignored: 2,
  };
});

describeSource("manifest", async () => {
  const lines = { "list.txt": "a.jpg\n2019/b.PNG\n./2020/../2020/d e.tif\n", "other.txt": "a.jpg\n" };
  const folder = tempFolder({ ...ARCHIVE, ...lines });
  const link = linkTo(folder);
  return {
    source: await open(join(folder, "list.txt")),
    sameSource: await open(`${link}/list.txt`),
    otherSource: await open(join(folder, "other.txt")),
    names: ["a.jpg", "2019/b.PNG", "2020/d e.tif"],
    ignored: 0,
  };
});

describe("openSource", () => {
  test.each([
    ["**/*.jpg", ["[1]/e.jpg", "a.jpg", "s p/b.jpg", "s p/deep/c.jpg"]],
    ["*.jpg", ["a.jpg"]],
    ["*", ["a.jpg", "a.png"]],
    ["*/*.{jpg,png}", ["[1]/e.jpg", "s p/b.jpg", "s p/d.png"]],
    ["{s p/deep,other}/*.jpg", ["s p/deep/c.jpg"]],
    ["s p/*.jpg", ["b.jpg"]],
    ["s p/[a-c].jpg", ["b.jpg"]],
    ["s p/**", ["b.jpg", "d.png", "deep/c.jpg", "notes"]],
    ["\\[1\\]/*.jpg", ["e.jpg"]],
  ])("a glob in a folder: %s", async (glob, names) => {
    const files = ["a.jpg", "a.png", "a.txt", "s p/b.jpg", "s p/d.png", "s p/deep/c.jpg", "s p/notes", "[1]/e.jpg"];
    const folder = tempFolder(Object.fromEntries(files.map((name) => [name, "x"])));
    expect(await namesOf(`${folder}/${glob}`)).toEqual(names);
    expect(await namesOf(`./${relative(process.cwd(), folder)}/${glob}`)).toEqual(names);
  });

  test("a file is a file although its name looks like a pattern", async () => {
    const folder = tempFolder({ "scan [1] (2).jpg": "x" });
    expect(await namesOf(join(folder, "scan [1] (2).jpg"))).toEqual(["scan [1] (2).jpg"]);
  });

  test("a pattern of one level does not look into folders below it", async () => {
    const folder = tempFolder({ "a.jpg": "x", "below/b.jpg": "x" });
    mkdirSync(join(folder, "locked"), { mode: 0 });
    const { list } = await open(`${folder}/*.jpg`);
    const all = await asNobody(() => collect(list(() => {}, new AbortController().signal)));
    expect(all.map(({ source }) => source)).toEqual(["a.jpg"]);
  });

  test.each(["nowhere.jpg", "no/such/folder/*.jpg", ""])("nothing there: %s", async (argument) => {
    const folder = tempFolder();
    await expect(open(`${folder}/missing/${argument}`)).rejects.toThrow(UsageError);
  });

  test("a folder that cannot be listed is no source", async () => {
    const folder = tempFolder();
    mkdirSync(join(folder, "locked"), { mode: 0 });
    const { list } = await open(join(folder, "locked"));
    await asNobody(() =>
      expect(collect(list(() => {}, new AbortController().signal))).rejects.toThrow(
        new UsageError(`${folder}/locked: cannot be listed (EACCES)`),
      ),
    );
  });

  test("the name of what is missing is told without a card number", async () => {
    const number = cardNumber();
    const error = await open(`/nowhere/${number}.jpg`).catch((thrown: Error) => thrown);
    expect(String(error)).toContain("/nowhere/622588******");
    expect(String(error)).not.toContain(number);
  });
});

describe("toReference", () => {
  const roots = new Map([
    ["y2019", "/mnt/scans/2019"],
    ["archive", "/mnt/scans"],
    ["other", "/mnt/scans-2"],
  ]);

  test.each([
    ["/mnt/scans", { root: "archive", path: "" }],
    ["/mnt/scans/2018/a.jpg", { root: "archive", path: "2018/a.jpg" }],
    // The outermost, so that a folder and the files in it are named under the same root.
    ["/mnt/scans/2019/a.jpg", { root: "archive", path: "2019/a.jpg" }],
    ["/mnt/scans-2/a.jpg", { root: "other", path: "a.jpg" }],
    ["/mnt/scans-3/a.jpg", { path: "/mnt/scans-3/a.jpg" }],
  ])("%s", (path, reference) => {
    expect(toReference(path, roots)).toEqual(reference);
  });
});
