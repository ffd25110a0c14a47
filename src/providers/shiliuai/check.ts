import { toCardbatchError } from "../../domain/errors.js";
import type { PreparedImage } from "../../domain/image.js";
import type { CheckStep, OcrProvider } from "../../domain/provider.js";
import type { Clock } from "../clock.js";
import type { HttpClient } from "../http-client.js";
import { checkImage, failedStep } from "../image-check.js";
import { checkNetwork } from "../network-check.js";
import { isSuccess, parseJson, unreadableReply } from "../reply.js";
import { authHeaders, SHILIUAI_PATH } from "./auth.js";
import { requestIdOf, shiliuaiFailure } from "./failure.js";
import { CREDENTIAL_SETTINGS, type ResolvedShiliuaiOptions } from "./options.js";
import { claimsSuccess, parseShiliuaiBody } from "./reply-body.js";

interface ShiliuaiCheck {
  readonly provider: OcrProvider;
  readonly options: ResolvedShiliuaiOptions;
  readonly clock: Clock;
  readonly http: HttpClient;
}

const MAX_SKEW_MS = 5 * 60 * 1000;

/** From the address to the account, one step at a time. */
export async function* checkShiliuai(
  check: ShiliuaiCheck,
  image: PreparedImage | null,
  signal: AbortSignal,
): AsyncGenerator<CheckStep> {
  const { provider, options, clock, http } = check;
  const network = { peer: "shiliuai", endpoint: options.endpoint, setting: "CARDBATCH_SHILIUAI_ENDPOINT", http, clock };
  const maxSkewMs = options.auth.kind === "signature" ? MAX_SKEW_MS : Number.POSITIVE_INFINITY;
  if (!(yield* checkNetwork({ ...network, timeoutMs: options.timeoutMs, maxSkewMs }, signal))) return;
  const account = await checkAccount(check, signal);
  yield account;
  if (account.ok && image !== null) yield await checkImage(provider, image, signal);
}

/** Asks what a call costs: same credentials, no picture, no charge (https://market.shiliuai.com/doc/credit-query). */
async function checkAccount({ options, clock, http }: ShiliuaiCheck, signal: AbortSignal): Promise<CheckStep> {
  const { endpoint, auth, timeoutMs, maxResponseBytes } = options;
  const headers = authHeaders(auth, clock.now());
  const request = { peer: "shiliuai", endpoint, method: "POST", path: `${SHILIUAI_PATH}/credit`, headers } as const;
  try {
    const reply = await http.send({ ...request, body: Buffer.from("{}"), timeoutMs, maxResponseBytes }, signal);
    const body = parseShiliuaiBody(parseJson(reply));
    if (isSuccess(reply) && body === null) throw unreadableReply("shiliuai", reply, requestIdOf(reply, body));
    if (!isSuccess(reply) || body === null || !claimsSuccess(body)) {
      throw shiliuaiFailure(reply, body, { auth: auth.kind, nowMs: clock.now() });
    }
    return { name: "credentials", ok: true, detail: `accepted: ${CREDENTIAL_SETTINGS[auth.kind]}` };
  } catch (error) {
    return failedStep("credentials", toCardbatchError(error));
  }
}
