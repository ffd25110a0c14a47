import { type CardbatchError, ProviderError, toCardbatchError } from "../../domain/errors.js";
import type { PreparedImage } from "../../domain/image.js";
import type { CheckStep, OcrProvider } from "../../domain/provider.js";
import type { Clock } from "../clock.js";
import type { HttpClient } from "../http-client.js";
import { checkImage, failedStep } from "../image-check.js";
import { checkNetwork } from "../network-check.js";
import { CREDENTIAL_SETTINGS, type ResolvedHuaweiOptions } from "./options.js";

interface HuaweiCheck {
  readonly provider: OcrProvider;
  readonly options: ResolvedHuaweiOptions;
  readonly clock: Clock;
  readonly http: HttpClient;
}

const MAX_SKEW_MS = 14 * 60 * 1000;
/** Where the vendor offers bank cards (https://support.huaweicloud.com/api-ocr/ocr_03_0062.html). */
const REGIONS = /\.(cn-north-4|cn-east-3)\./;
/** A grey PNG of 8 × 8 pixels, smaller than the vendor takes: it is refused, and what is refused costs nothing. */
const PROBE: PreparedImage = {
  bytes: Buffer.from(
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAAAAADhZOFXAAAADklEQVR42mNogAIGyhgAgIQgARDoahcAAAAASUVORK5CYII=",
    "base64",
  ),
  format: "png",
  width: 8,
  height: 8,
  pixelsPerSentPixel: 1,
  untouched: true,
};

/** From the address to the account, one step at a time. */
export async function* checkHuawei(
  check: HuaweiCheck,
  image: PreparedImage | null,
  signal: AbortSignal,
): AsyncGenerator<CheckStep> {
  const { provider, options, clock, http } = check;
  const { endpoint, auth, timeoutMs } = options;
  // A token is good whatever the time here.
  const maxSkewMs = auth.kind === "aksk" ? MAX_SKEW_MS : Number.POSITIVE_INFINITY;
  const common = { http, clock, timeoutMs, maxSkewMs };
  const ocr = { ...common, peer: "huawei", endpoint, setting: "CARDBATCH_HUAWEI_ENDPOINT" };
  if (!(yield* checkNetwork(ocr, signal))) return;
  if (auth.kind === "iam") {
    const iam = {
      ...common,
      prefix: "iam ",
      peer: "huawei IAM",
      endpoint: auth.endpoint,
      setting: "CARDBATCH_HUAWEI_IAM_ENDPOINT",
    };
    if (!(yield* checkNetwork(iam, signal))) return;
  }
  const account = await checkAccount(check, signal);
  yield* account;
  if (account.every((step) => step.ok) && image !== null) yield await checkImage(provider, image, signal);
}

/** One call with a picture that must be refused tells whether we are known, and whether the service is ours to use. */
async function checkAccount({ provider, options }: HuaweiCheck, signal: AbortSignal): Promise<CheckStep[]> {
  try {
    await provider.authorize(signal);
    await provider.call(provider.encode(PROBE), signal);
    return [
      accepted(options),
      { name: "subscription", ok: true, detail: "the service answered a probe (one call, maybe charged)" },
    ];
  } catch (thrown) {
    const error = toCardbatchError(thrown);
    if (isAboutImage(error))
      return [
        accepted(options),
        { name: "subscription", ok: true, detail: "the service refused a probe picture, as it should" },
      ];
    if (isAboutService(error)) return [accepted(options), subscriptionFailed(error, options)];
    return [failedStep("credentials", error)];
  }
}

function accepted({ auth }: ResolvedHuaweiOptions): CheckStep {
  return { name: "credentials", ok: true, detail: `accepted: ${CREDENTIAL_SETTINGS[auth.kind]}` };
}

function isAboutImage(error: CardbatchError): boolean {
  return error.code === "provider-refused-image" || error.code === "provider-refused";
}

function isAboutService(error: CardbatchError): boolean {
  return ["provider-subscription", "provider-config", "provider-quota", "provider-arrears"].includes(error.code);
}

function subscriptionFailed(error: CardbatchError, { endpoint }: ResolvedHuaweiOptions): CheckStep {
  const step = failedStep("subscription", error);
  const elsewhere = error instanceof ProviderError && !REGIONS.test(endpoint.host);
  return elsewhere
    ? { ...step, detail: `${step.detail}; the vendor offers bank cards in cn-north-4 and cn-east-3 only` }
    : step;
}
