import { readFileSync } from "node:fs";
import { UsageError } from "../domain/errors.js";

/** What `--jwk` names. @throws UsageError without anything of the file, which may be a private key */
export function readJwk(file: string): unknown {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    throw new UsageError(`--jwk ${file}: cannot be read`);
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new UsageError(`--jwk ${file}: not JSON`);
  }
}
