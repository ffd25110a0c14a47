import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ConfigError, UsageError } from "../../../src/domain/errors.js";
import { findIssuer } from "../../../src/domain/iin.js";
import { isLuhnValid } from "../../../src/domain/luhn.js";
import { readFixed, type SentPicture } from "../../../src/http/emulate/answers.js";
import { chooseAnswers } from "../../../src/http/emulate/choose-answers.js";
import { drawPicture } from "../../contract/pictures.js";
import { cardNumber } from "../../helpers/card-numbers.js";

const sent = (bytes: Buffer): SentPicture => ({
  bytes,
  digest: createHash("sha256").update(bytes).digest(),
  header: { format: "bmp", width: 100, height: 60 },
});

test("fixed: every picture has a number of its own, always the same, that its issuer could have given out", () => {
  const numbers = new Set<string>();
  for (let seed = 0; seed < 2000; seed++) {
    const picture = sent(Buffer.from(`picture ${seed}`));
    const [card] = readFixed(picture);
    const number = card?.number?.text ?? "";
    expect(isLuhnValid(number)).toBe(true);
    expect(findIssuer(number.slice(0, 10), number.length)).toMatchObject({
      lengthMatches: true,
      type: "debit",
      bank: { name: card?.bank?.text },
    });
    expect(readFixed(picture)).toEqual([card]);
    numbers.add(number);
  }
  expect(numbers.size).toBe(2000);
});

describe("truth", () => {
  let folder: string;
  const csv = () => join(folder, "truth.csv");
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "cardbatch-truth-"));
    await Promise.all([1, 2, 3].map((seed) => writeFile(join(folder, `${seed}.bmp`), drawPicture(seed))));
  });
  afterEach(() => rm(folder, { recursive: true }));

  test("is what the file says of a picture's bytes, page by page of nothing but one", async () => {
    const [first, second] = [cardNumber("622848", 19, 1), cardNumber("622588", 16, 2)];
    const rows = [`1.bmp,0,${first},2010-12,2020-12,招商银行,debit`, `1.bmp,0,${second},,,,credit`, "2.bmp,,,,,,"];
    const pages = [`3.bmp,0,${first},,,,`, `3.bmp,1,${second},,,,`];
    await writeFile(
      csv(),
      `\ufefffile,page,number,issueDate,expiryDate,bank,type\r\n${[...rows, ...pages].join("\r\n")}\r\n`,
    );
    const read = await chooseAnswers(`truth:${csv()}`, (picture) => readFixed(picture));

    const cards = await read(sent(drawPicture(1)));
    expect(cards.map(({ number }) => number?.text)).toEqual([first, second]);
    const texts = {
      bank: { text: "招商银行" },
      type: { text: "借记卡" },
      issueDate: { text: "12/10" },
      expiryDate: { text: "12/20" },
    };
    expect(cards[0]).toMatchObject(texts);
    expect(await read(sent(drawPicture(2)))).toEqual([]);
    expect(await read(sent(drawPicture(3))), "several pages: the engine's").toEqual(readFixed(sent(drawPicture(3))));
    expect(await read(sent(drawPicture(4))), "unknown: the engine's").toEqual(readFixed(sent(drawPicture(4))));
    const withoutEngine = await chooseAnswers(`truth:${csv()}`, null);
    expect(await withoutEngine(sent(drawPicture(4)))).toEqual([]);
  });

  test.each([
    ["no such file", null],
    ["other columns", "a,b\n1,2\n"],
    ["a picture that is missing", "file,page,number,issueDate,expiryDate,bank,type\nnot-there.bmp,0,,,,,\n"],
  ])("%s: refused", async (_name, text) => {
    if (text !== null) await writeFile(csv(), text);
    await expect(chooseAnswers(`truth:${csv()}`, null)).rejects.toThrow(ConfigError);
  });
});

test("anything else is no way to answer", async () => {
  await expect(chooseAnswers("engine", null)).rejects.toThrow(UsageError);
  await expect(chooseAnswers("magic", null)).rejects.toThrow("--answer magic");
});
