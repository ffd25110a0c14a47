import type { Apt } from "../src/bootstrap/apt.js";

export interface Wanted {
  /** Of its folder in the cache, and for people. */
  readonly name: string;
  /** Any of these will do. */
  readonly programs: readonly string[];
  /** Where they are below a folder that the packages are unpacked to, or below `/`, besides PATH. */
  folders(root: string): readonly string[];
  packages(apt: Apt): Promise<readonly string[]>;
  /** What it needs in the environment when it runs from there. */
  env?(root: string): Readonly<Record<string, string>>;
}

export interface Brought {
  readonly file: string;
  readonly folder: string;
  /** To be run with. */
  readonly env: NodeJS.ProcessEnv;
}

export declare function bring(wanted: Wanted): Promise<Brought | null>;
