import { ConfigError } from "../domain/errors.js";

/**
 * Credentials and ids travel in headers and paths: printable ASCII, nothing around it.
 * @throws ConfigError naming the setting, never its value
 */
export function assertHeaderValue(value: string, setting: string): void {
  if (value === "") throw new ConfigError(`${setting}: is empty`);
  if (!/^[\x21-\x7e]+$/.test(value)) {
    throw new ConfigError(`${setting}: has a space, a line break or another character that no credential has`);
  }
}
