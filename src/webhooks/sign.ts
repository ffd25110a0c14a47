import { createHmac, randomBytes } from "node:crypto";

/** Standard Webhooks (standardwebhooks.com): how a receiver knows that a message is ours, whole, and of now. */
const PREFIX = "whsec_";
const SECRET_BYTES = 32;

/** A new secret, as the receiver's library takes it. */
export function newWebhookSecret(random: (size: number) => Buffer = randomBytes): string {
  return PREFIX + random(SECRET_BYTES).toString("base64");
}

/**
 * The headers of one sending of a message.
 * @param secrets all that are valid at present, `whsec_…`: while they are changed a receiver may know one or the other
 */
export function signWebhook(
  id: string,
  atMs: number,
  body: string,
  secrets: readonly string[],
): Readonly<Record<string, string>> {
  const timestamp = String(Math.floor(atMs / 1000));
  const signatures = secrets.map((secret) => {
    const key = Buffer.from(secret.slice(PREFIX.length), "base64");
    return `v1,${createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64")}`;
  });
  return {
    "webhook-id": id,
    "webhook-timestamp": timestamp,
    "webhook-signature": signatures.join(" "),
  };
}
