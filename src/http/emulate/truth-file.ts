import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { parse } from "csv-parse/sync";
import { z } from "zod";
import { ConfigError } from "../../domain/errors.js";
import type { WireCard } from "../../providers/vendor-server.js";
import { TYPE_WORDS } from "../vendor/type-words.js";
import { type ReadPicture, toWireCard } from "./answers.js";

const rowSchema = z.object({
  file: z.string().min(1),
  page: z.string().regex(/^\d*$/),
  number: z.string(),
  issueDate: z.string(),
  expiryDate: z.string(),
  bank: z.string(),
  type: z.string(),
});
type TruthRow = z.infer<typeof rowSchema>;

const CONFIDENCE = 0.9995;

/**
 * Answers with what a truth file (`file,page,number,issueDate,expiryDate,bank,type`, files relative to its folder) says of
 * a picture, which it knows by the file's bytes. A page of a file with several, and a picture that was converted, has
 * bytes of its own: those go to `otherwise`.
 * @throws ConfigError when the file or a picture it names cannot be read
 */
export async function readByTruth(csvPath: string, otherwise: ReadPicture): Promise<ReadPicture> {
  const rows = await loadRows(csvPath);
  const known = new Map<string, readonly TruthRow[]>();
  for (const file of new Set(rows.map((row) => row.file))) {
    const ofFile = rows.filter((row) => row.file === file);
    const isOnePage = new Set(ofFile.map((row) => row.page)).size === 1;
    if (isOnePage) known.set(await hashFile(join(dirname(csvPath), file)), ofFile);
  }
  return (picture) => {
    const found = known.get(picture.digest.toString("hex"));
    if (found === undefined) return otherwise(picture);
    return found
      .filter((row) => row.number !== "")
      .map((row): WireCard => toWireCard(textsOf(row), CONFIDENCE, picture.header));
  };
}

async function loadRows(csvPath: string): Promise<readonly TruthRow[]> {
  try {
    const records: unknown = parse(await readFile(csvPath), {
      bom: true,
      columns: true,
      skip_empty_lines: true,
      trim: true,
    });
    return z.array(rowSchema).parse(records);
  } catch {
    throw new ConfigError(
      `--answer truth: ${csvPath} cannot be read as file,page,number,issueDate,expiryDate,bank,type`,
    );
  }
}

async function hashFile(path: string): Promise<string> {
  try {
    return createHash("sha256")
      .update(await readFile(path))
      .digest("hex");
  } catch {
    throw new ConfigError(`--answer truth: ${path} cannot be read`);
  }
}

function textsOf({ number, issueDate, expiryDate, bank, type }: TruthRow) {
  return {
    number,
    bank,
    type: (TYPE_WORDS as Readonly<Record<string, string>>)[type] ?? type,
    issueDate: toPrinted(issueDate),
    expiryDate: toPrinted(expiryDate),
  };
}

/** `2020-12` as it stands on a card, `12/20`; anything else as it is. */
function toPrinted(month: string): string {
  return month.replace(/^\d\d(\d\d)-(\d\d)$/, "$2/$1");
}
