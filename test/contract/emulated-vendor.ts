import { createHash } from "node:crypto";
import { Pan } from "../../src/domain/pan.js";
import type { OcrProvider } from "../../src/domain/provider.js";
import type { HuaweiAuth, ShiliuaiAuth } from "../../src/domain/vendor-auth.js";
import { readFixed, type SentPicture } from "../../src/http/emulate/answers.js";
import { createEmulator, type Emulator } from "../../src/http/emulate/emulator.js";
import type { EmulatorOptions } from "../../src/http/emulate/options.js";
import type { Clock } from "../../src/providers/clock.js";
import { createHttpClient, type HttpClient } from "../../src/providers/http-client.js";
import { createHuaweiProvider } from "../../src/providers/huawei/huawei-provider.js";
import { createShiliuaiProvider } from "../../src/providers/shiliuai/shiliuai-provider.js";
import { drawPicture, inspectPicture, preparePicture } from "./pictures.js";
import type { OpenSubject } from "./provider-contract.js";

export const PROJECT_ID = "0123456789abcdef0123456789abcdef";
const DAY_MS = 24 * 60 * 60 * 1000;

/** Everybody whom the emulator knows in tests. */
export const KNOWN = {
  token: "a-token-from-somewhere",
  accessKey: "TESTACCESSKEY",
  secretKey: "test-secret-key",
  domain: "test-domain",
  user: "test-user",
  password: "test-password",
  appCode: "test-app-code",
  appKey: "test-app-key",
  appSecret: "test-app-secret",
} as const;

export type AnyAuth =
  | Exclude<HuaweiAuth, { kind: "iam" }>
  | { kind: "iam"; user?: string; password?: string }
  | ShiliuaiAuth;

/** The five ways to authenticate, each with what it takes. */
export const AUTH_MODES: readonly AnyAuth[] = [
  { kind: "token", token: KNOWN.token },
  { kind: "aksk", accessKey: KNOWN.accessKey, secretKey: KNOWN.secretKey },
  { kind: "iam" },
  { kind: "appcode", appCode: KNOWN.appCode },
  { kind: "signature", appKey: KNOWN.appKey, appSecret: KNOWN.appSecret },
];

const CARD = drawPicture(1, 400, 250);
const NO_CARD = drawPicture(2, 400, 250);
const SEVERAL_CARDS = drawPicture(3, 400, 250);

/** Cards on every picture but one, two on another. */
export function readPicture(picture: SentPicture) {
  if (picture.bytes.equals(NO_CARD)) return [];
  const [card = {}] = readFixed(picture);
  return picture.bytes.equals(SEVERAL_CARDS) ? [card, card] : [card];
}

export function openEmulator(
  options: EmulatorOptions & { readonly tokenLifetimeMs?: number } = {},
  clock: Clock = Date,
) {
  const { token, accessKey, secretKey, domain, user, password, appCode, appKey, appSecret } = KNOWN;
  const iam = { domain, user, password, tokenLifetimeMs: options.tokenLifetimeMs ?? DAY_MS };
  const known = {
    huawei: { projectId: PROJECT_ID, token, keys: { accessKey, secretKey, securityToken: null }, iam },
    shiliuai: { appCode, keys: { appKey, appSecret } },
  };
  return createEmulator({ ...known, ...options }, { clock, read: readPicture, inspect: inspectPicture });
}

export interface ProviderParts {
  readonly url: string;
  readonly http: HttpClient;
  readonly clock?: Clock;
  readonly timeoutMs?: number;
}

export function createProvider(
  auth: AnyAuth,
  { url, http, clock = Date, timeoutMs = 10_000 }: ProviderParts,
): OcrProvider {
  const common = { endpoint: url, timeoutMs };
  switch (auth.kind) {
    case "appcode":
    case "signature":
      return createShiliuaiProvider({ ...common, auth }, { clock, http });
    case "iam": {
      const { domain, user, password } = KNOWN;
      const full = {
        kind: "iam",
        iamEndpoint: url,
        domain,
        user: auth.user ?? user,
        password: auth.password ?? password,
      } as const;
      return createHuaweiProvider({ ...common, projectId: PROJECT_ID, auth: full }, { clock, http });
    }
    default:
      return createHuaweiProvider({ ...common, projectId: PROJECT_ID, auth }, { clock, http });
  }
}

/** A provider against the emulator, as the contract wants it. */
export async function openSubject(auth: AnyAuth): Promise<OpenSubject & { readonly emulator: Emulator }> {
  const emulator = await openEmulator();
  const http = createHttpClient({ connections: 32 });
  const parts = { url: emulator.url, http };
  const provider = createProvider(auth, parts);
  const digest = createHash("sha256").update(CARD).digest();
  const [card] = readFixed({ bytes: CARD, digest, header: { format: "bmp", width: 400, height: 250 } });
  const expected = new Pan(card?.number?.text ?? "");
  return {
    provider,
    emulator,
    pictures: {
      card: preparePicture(CARD),
      noCard: preparePicture(NO_CARD),
      severalCards: preparePicture(SEVERAL_CARDS),
    },
    isRight: (number) => number.equals(expected),
    vendor: {
      emulator,
      impatient: (timeoutMs) => createProvider(auth, { ...parts, timeoutMs }),
      secrets: Object.values(KNOWN),
    },
    async close() {
      await provider.close();
      await emulator.close();
      await http.close();
    },
  };
}
