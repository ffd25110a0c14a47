import type { IncomingHttpHeaders } from "node:http";
import type { CardField } from "../domain/answer.js";
import type { Quad } from "../domain/geometry.js";
import type { ImageFormat } from "../domain/image.js";

/** One field as a vendor's server read it. `confidence` is 0..1. */
export interface WireField {
  readonly text: string;
  readonly confidence: number;
  /** In pixels of the picture that was sent. */
  readonly keypoints: Quad | null;
}

/**
 * One card as a vendor's server puts it on the wire: in the clear, since that is what the vendors do. Lives on the
 * server side (emulator, OCR server) alone; a field that was not read is absent.
 */
export type WireCard = Readonly<Partial<Record<CardField, WireField>>>;

export interface WireRequest {
  readonly method: string;
  /** As on the request line. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** A refusal in the vendor's words. */
export interface WireFailure {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface WireReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A picture to read, out of a request's body. */
export interface WireCall {
  readonly image: Buffer;
  /** How long the picture is as base64. */
  readonly base64Bytes: number;
  /** The caller wants to know where each field was. */
  readonly textLocation: boolean;
}

export interface PictureHeader {
  readonly format: ImageFormat;
  readonly width: number;
  readonly height: number;
}

export type AuthMode = "token" | "iam" | "aksk" | "appcode" | "signature";

/** Either what was asked for, or the refusal. */
export type Checked<T> =
  | { readonly value: T; readonly failure: null }
  | { readonly value: null; readonly failure: WireFailure };

export const pass = <T>(value: T): Checked<T> => ({ value, failure: null });
export const refuse = (failure: WireFailure): Checked<never> => ({ value: null, failure });

/**
 * The vendor's side of its own wire format, shared by whatever answers in its place. All of it pure: a call goes
 * `authenticate` → `parseCall` → `checkPicture` → (somebody reads the picture) → `renderAnswer`; at any refusal, `renderFailure`.
 */
export interface VendorServer {
  readonly provider: "huawei" | "shiliuai";
  /** Whether this is a request for a picture to be read. */
  isCall(method: string, path: string): boolean;
  authenticate(request: WireRequest, nowMs: number): Checked<AuthMode>;
  parseCall(body: Buffer): Checked<WireCall>;
  /** @param header null: not a picture of a known format */
  checkPicture(call: WireCall, header: PictureHeader | null): WireFailure | null;
  renderAnswer(cards: readonly WireCard[], call: WireCall, requestId: string): WireReply;
  renderFailure(failure: WireFailure, requestId: string): WireReply;
  /** How the vendor refuses a call over the limit. */
  throttled(callsPerSecond: number): WireFailure;
  /** The vendor's usual words for a status; `code` replaces its usual code. */
  failureOfStatus(status: number, code?: string): WireFailure;
}

export function renderJson(status: number, headers: Readonly<Record<string, string>>, body: object): WireReply {
  return { status, headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(body) };
}
