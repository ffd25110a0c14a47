import { createHuaweiServer } from "../../providers/huawei/server.js";
import { createShiliuaiServer, type ShiliuaiAccount } from "../../providers/shiliuai/server.js";
import type { VendorServer } from "../../providers/vendor-server.js";
import { type CallLog, createCallLog } from "./call-log.js";
import { createFaultPlan, type FaultTarget, seededRandom } from "./fault-plan.js";
import { type FaultAction, type Faults, NO_FAULTS, parseFaults } from "./faults.js";
import { createIam, type Iam } from "./iam.js";
import type { EmulatorOptions } from "./options.js";
import { createQuota, type Quota } from "./quota.js";

/** What the emulator knows and remembers. */
export interface World {
  readonly huawei: VendorServer;
  readonly shiliuai: VendorServer;
  readonly shiliuaiAccount: ShiliuaiAccount;
  readonly iam: Iam;
  readonly quota: Quota;
  /** Jitter; the same in every run. */
  readonly random: () => number;
  /** Of the calls since the start, or the last reset. */
  readonly log: CallLog;
  readonly faults: Faults;
  /** Counts a call to `target` and says what it meets; a fault of the world itself has come true when this returns. */
  nextFault(target: FaultTarget): FaultAction | null;
  /** @throws ConfigError */
  setFaults(input: unknown): void;
  /** Forgets calls and faults; the limit is that of the start, tokens stay. */
  reset(): void;
}

const NOBODY = { projectId: null, token: null, keys: null, iam: null };

export function createWorld(options: EmulatorOptions): World {
  const { iam: iamAccount, ...huaweiAccount } = options.huawei ?? NOBODY;
  const shiliuaiAccount = options.shiliuai ?? { appCode: null, keys: null };
  const iam = createIam(iamAccount, huaweiAccount.projectId);
  const quota = createQuota(options.limit ?? null);
  let log = createCallLog();
  let faults = parseFaults(options.faults ?? NO_FAULTS);
  let plan = createFaultPlan(faults, performance.now());

  function setFaults(input: unknown): void {
    faults = parseFaults(input);
    plan = createFaultPlan(faults, performance.now());
  }

  return {
    huawei: createHuaweiServer({ ...huaweiAccount, iamToken: iam.stateOf }),
    shiliuai: createShiliuaiServer(shiliuaiAccount),
    shiliuaiAccount,
    iam,
    quota,
    random: seededRandom(1),
    get log() {
      return log;
    },
    get faults() {
      return faults;
    },
    nextFault(target) {
      const fault = plan.next(target, performance.now());
      if (fault?.kind === "limit") quota.setLimit(fault.callsPerSecond);
      if (fault?.kind === "revoke-tokens") iam.revokeAll();
      return fault;
    },
    setFaults,
    reset() {
      log = createCallLog();
      quota.setLimit(options.limit ?? null);
      setFaults(NO_FAULTS);
    },
  };
}
