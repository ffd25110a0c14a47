import { UsageError } from "../../domain/errors.js";
import { type ReadPicture, readFixed } from "./answers.js";
import { readByTruth } from "./truth-file.js";

/**
 * What `--answer` asks for: `fixed`, `truth:<csv>` (pictures it does not know go to the engine where there is one, and
 * hold no card otherwise) or `engine`.
 * @param readByEngine null: there is no engine here
 * @throws UsageError for anything else, ConfigError when the truth file cannot be read
 */
export async function chooseAnswers(text: string, readByEngine: ReadPicture | null): Promise<ReadPicture> {
  if (text === "fixed") return readFixed;
  if (text.startsWith("truth:")) return readByTruth(text.slice("truth:".length), readByEngine ?? (() => []));
  if (text === "engine" && readByEngine !== null) return readByEngine;
  throw new UsageError(`--answer ${text}: give fixed, truth:<csv>${readByEngine === null ? "" : " or engine"}`);
}
