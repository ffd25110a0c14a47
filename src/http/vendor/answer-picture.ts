import { CardbatchError, ImageError } from "../../domain/errors.js";
import type {
  PictureHeader,
  VendorServer,
  WireCall,
  WireCard,
  WireFailure,
  WireReply,
} from "../../providers/vendor-server.js";

/** How long a body each vendor's gateway takes. @unit bytes */
export const MAX_BODY_BYTES: Readonly<Record<VendorServer["provider"], number>> = {
  huawei: 12 * 1024 * 1024,
  shiliuai: 21 * 1024 * 1024,
};

export interface AnswerDeps {
  /** A picture's format and size from its first bytes; null: no known format. Must not throw. */
  readonly inspect: (bytes: Buffer) => PictureHeader | null;
  readonly read: (image: Buffer, header: PictureHeader) => Promise<readonly WireCard[]> | readonly WireCard[];
  readonly nextRequestId: () => string;
}

/** What the vendor says to a picture: what is on it, or what is wrong with it. */
export async function answerPicture(vendor: VendorServer, call: WireCall, deps: AnswerDeps): Promise<WireReply> {
  const header = deps.inspect(call.image);
  const failure = vendor.checkPicture(call, header);
  if (failure !== null || header === null) return refusal(vendor, failure, deps);
  try {
    return vendor.renderAnswer(await deps.read(call.image, header), call, deps.nextRequestId());
  } catch (error) {
    // The header was in order and the rest was not.
    const isBroken = error instanceof ImageError || (error instanceof CardbatchError && error.code === "engine-image");
    return refusal(vendor, isBroken ? vendor.checkPicture(call, null) : null, deps);
  }
}

/** @param failure null: something is wrong on our side */
export function refusal(
  vendor: VendorServer,
  failure: WireFailure | null,
  { nextRequestId }: Pick<AnswerDeps, "nextRequestId">,
): WireReply {
  return vendor.renderFailure(failure ?? vendor.failureOfStatus(500), nextRequestId());
}
