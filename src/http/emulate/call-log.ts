import type { AuthMode } from "../../providers/vendor-server.js";
import type { FaultAction } from "./faults.js";
import { createGrowing } from "./growing.js";
import { createImageCounts, type ImageCounts } from "./image-counts.js";

export type LoggedProvider = "huawei" | "shiliuai";
/** How a call ended: an HTTP status, or without one. `gone`: the caller hung up first. `pending`: not yet. */
export type CallEnd = number | "pending" | "reset-before" | "reset-after" | "gone";

export interface LoggedCall {
  /** When its headers were read. @unit milliseconds since 1970 */
  readonly at: number;
  readonly provider: LoggedProvider;
  /** Its image key; null when no picture could be taken out of it. */
  readonly image: string | null;
  readonly status: CallEnd;
  /** A 2xx status went out: the vendor charges for it. */
  readonly billable: boolean;
  /** A whole answer went out. */
  readonly answered: boolean;
  /** How it authenticated; null when it was refused, or nobody looked. */
  readonly auth: AuthMode | null;
  readonly fault: FaultAction["kind"] | null;
}

/** What was called, seen from the vendor's side: the oracle of tests. A million calls about as many pictures take 120 MB. */
export interface CallLog {
  /** @returns the call's number, from 0 */
  begin(provider: LoggedProvider, atMs: number): number;
  setImage(call: number, digest: Buffer): void;
  setAuth(call: number, auth: AuthMode): void;
  setFault(call: number, fault: FaultAction["kind"]): void;
  /** Once a call, when its status is decided. */
  end(call: number, status: CallEnd, answered: boolean): void;
  /** The caller hung up before the whole answer had gone out. */
  lose(call: number): void;
  call(index: number): LoggedCall;
  /** The same without its image key, which costs more than the rest. */
  facts(index: number): Omit<LoggedCall, "image">;
  readonly size: number;
  /** Most calls that began within one second. */
  readonly maxCallsInAnySecond: number;
  readonly images: Pick<ImageCounts, "entries" | "size">;
}

const PROVIDERS = ["huawei", "shiliuai"] as const;
const AUTH_MODES = [null, "token", "iam", "aksk", "appcode", "signature"] as const;
const ENDS = ["pending", "reset-before", "reset-after", "gone"] as const;
const BILLABLE = 1;
const ANSWERED = 2;

export function createCallLog(): CallLog {
  const columns = createColumns();
  const { at, provider, image, status, flags, auth, fault } = columns;
  const faultKinds: (FaultAction["kind"] | null)[] = [null];
  const images = createImageCounts();
  let size = 0;
  let windowStart = 0;
  let maxCallsInAnySecond = 0;

  const facts = (index: number): Omit<LoggedCall, "image"> => ({
    at: Math.round(at.get(index) * 1000) / 1000,
    provider: PROVIDERS[provider.get(index)] ?? "huawei",
    status: ENDS[status.get(index)] ?? status.get(index),
    billable: (flags.get(index) & BILLABLE) !== 0,
    answered: (flags.get(index) & ANSWERED) !== 0,
    auth: AUTH_MODES[auth.get(index)] ?? null,
    fault: faultKinds[fault.get(index)] ?? null,
  });

  return {
    begin(name, atMs) {
      const call = size++;
      at.set(call, atMs);
      provider.set(call, PROVIDERS.indexOf(name));
      while (at.get(windowStart) <= atMs - 1000) windowStart++;
      maxCallsInAnySecond = Math.max(maxCallsInAnySecond, size - windowStart);
      return call;
    },
    setImage(call, digest) {
      image.set(call, images.numberOf(digest));
      images.add(image.get(call), "calls", 1);
    },
    setAuth: (call, mode) => auth.set(call, AUTH_MODES.indexOf(mode)),
    setFault(call, kind) {
      if (!faultKinds.includes(kind)) faultKinds.push(kind);
      fault.set(call, faultKinds.indexOf(kind));
    },
    end(call, end, answered) {
      const billable = typeof end === "number" && end >= 200 && end < 300;
      status.set(call, typeof end === "number" ? end : ENDS.indexOf(end));
      flags.set(call, (billable ? BILLABLE : 0) | (answered ? ANSWERED : 0));
      if (billable) images.add(image.get(call), "billable", 1);
      if (answered) images.add(image.get(call), "answered", 1);
    },
    lose(call) {
      if ((flags.get(call) & ANSWERED) === 0) return;
      flags.set(call, flags.get(call) & ~ANSWERED);
      images.add(image.get(call), "answered", -1);
    },
    facts,
    call: (index) => ({ ...facts(index), image: images.keyOf(image.get(index)) }),
    get size() {
      return size;
    },
    get maxCallsInAnySecond() {
      return maxCallsInAnySecond;
    },
    images,
  };
}

function createColumns() {
  const bytes = () => createGrowing((length) => new Uint8Array(length));
  return {
    at: createGrowing((length) => new Float64Array(length)),
    image: createGrowing((length) => new Int32Array(length)),
    status: createGrowing((length) => new Uint16Array(length)),
    provider: bytes(),
    flags: bytes(),
    auth: bytes(),
    fault: bytes(),
  };
}
