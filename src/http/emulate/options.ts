import type { Clock } from "../../providers/clock.js";
import type { HuaweiAccount } from "../../providers/huawei/server-auth.js";
import type { ShiliuaiAccount } from "../../providers/shiliuai/server.js";
import type { PictureHeader } from "../../providers/vendor-server.js";
import type { ReadPicture } from "./answers.js";
import type { IamAccount } from "./iam.js";

export interface EmulatorOptions {
  /** @default 127.0.0.1 */
  readonly host?: string | undefined;
  /** @default 0, any free one */
  readonly port?: number | undefined;
  /** Who is known; every way that is set is accepted, and nobody where none is. */
  readonly huawei?: (Omit<HuaweiAccount, "iamToken"> & { readonly iam: IamAccount | null }) | undefined;
  readonly shiliuai?: ShiliuaiAccount | undefined;
  /** Calls admitted in any second, over both vendors. @default null, no limit */
  readonly limit?: number | null | undefined;
  /** Whether a call over the limit is told to come back in a second. @default false */
  readonly retryAfter?: boolean | undefined;
  /** Before every answer. @unit milliseconds @default 0 */
  readonly latencyMs?: number | undefined;
  /** As much as this on top of it, drawn evenly. @unit milliseconds @default 0 */
  readonly jitterMs?: number | undefined;
  /** What is in the file of `--faults`; see `faults.ts`. @default none */
  readonly faults?: unknown;
}

export interface EmulatorDeps {
  /** The vendors' wall clock. */
  readonly clock: Clock;
  readonly read: ReadPicture;
  /** A picture's format and size from its first bytes; null: no known format. Must not throw. */
  readonly inspect: (bytes: Buffer) => PictureHeader | null;
}
