import { readdirSync, readlinkSync } from "node:fs";
import { relativeInside } from "../../src/domain/paths.js";

/** What this process has open in a folder; nothing is known of it but on Linux. */
export function openFilesIn(folder: string): string[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc/self/fd").flatMap((descriptor) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${descriptor}`);
      return relativeInside(folder, path) === null ? [] : [path];
    } catch {
      return [];
    }
  });
}
