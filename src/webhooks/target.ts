import { BlockList, isIP } from "node:net";

/**
 * Which addresses webhooks may go to. An API key's holder names them, so without this anybody with a key could have the server
 * talk to what only it can reach.
 */
export interface WebhookPolicy {
  /** Whether an address that a name led to, or a connection reached, may be talked to. */
  isAllowedAddress(address: string, host: string): boolean;
  /** Whether the host may be spoken to without TLS. */
  mayBePlain(host: string): boolean;
}

/** Why an address is not taken, in words for whoever named it. */
export type TargetFault = string;

const MAX_URL_LENGTH = 2048;

/**
 * @param allowed entries of `CARDBATCH_WEBHOOK_ALLOW`: host names, addresses and `address/bits` that may be private, and plain http
 * @throws RangeError naming the entry that is none of these
 */
export function createWebhookPolicy(allowed: readonly string[]): WebhookPolicy {
  const names = new Set<string>();
  const addresses = new BlockList();
  for (const entry of allowed) {
    const [, address = entry, bits] = /^(.+)\/(\d{1,3})$/.exec(entry) ?? [];
    const bare = address.replace(/^\[(.*)\]$/, "$1");
    const family = isIP(bare);
    const widest = family === 4 ? 32 : 128;
    if (family === 0 && (bits !== undefined || !HOST_NAME.test(entry))) throw new RangeError(entry);
    if (bits !== undefined && Number(bits) > widest) throw new RangeError(entry);
    if (family === 0) names.add(plainName(entry));
    else addresses.addSubnet(bare, Number(bits ?? widest), family === 4 ? "ipv4" : "ipv6");
  }
  const isListed = (address: string) => {
    const family = isIP(address);
    return family !== 0 && addresses.check(address, family === 4 ? "ipv4" : "ipv6");
  };
  return {
    isAllowedAddress: (address, host) => isPublic(address) || isListed(address) || names.has(plainName(host)),
    mayBePlain: (host) => names.has(plainName(host)) || isListed(plainName(host)),
  };
}

/** What is wrong with a webhook's address as it stands; null when nothing is. Names are looked up when it is called. */
export function findTargetFault(text: string, policy: WebhookPolicy): TargetFault | null {
  if (text.length > MAX_URL_LENGTH) return `is longer than ${MAX_URL_LENGTH} characters`;
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return "is no URL";
  }
  if (url.protocol !== "https:" && url.protocol !== "http:") return "is not https";
  if (url.username !== "" || url.password !== "") return "holds a user or password; use a path that is hard to guess";
  if (url.hash !== "") return "has a fragment, which is never sent";
  const host = hostOf(url);
  if (url.protocol === "http:" && !policy.mayBePlain(host)) {
    return "is not https; plain http is for hosts of CARDBATCH_WEBHOOK_ALLOW";
  }
  if (isIP(host) !== 0 && !policy.isAllowedAddress(host, host)) {
    return "leads to an address that is not public; list it in CARDBATCH_WEBHOOK_ALLOW";
  }
  return null;
}

/** The host as a connection takes it: without the brackets of IPv6. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, "$1");
}

const HOST_NAME = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*\.?$/i;

function plainName(host: string): string {
  return host.toLowerCase().replace(/\.$/, "");
}

/** Whether an address belongs to the public internet, by the registries of special-purpose addresses (RFC 6890 and later). */
function isPublic(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return !SPECIAL.check(address, "ipv4");
  // IPv4 in IPv6's clothes lies outside of 2000::/3, and so do NAT64, loopback, link-local and private addresses.
  return family === 6 && !address.includes("%") && GLOBAL_V6.check(address, "ipv6") && !SPECIAL.check(address, "ipv6");
}

const GLOBAL_V6 = blockList(["2000::/3"]);
const SPECIAL = blockList([
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "168.63.129.16/32",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.31.196.0/24",
  "192.52.193.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "192.175.48.0/24",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4",
  "240.0.0.0/4",
  "2001::/23",
  "2001:db8::/32",
  "2002::/16",
  "2620:4f:8000::/48",
  "3fff::/20",
]);

function blockList(subnets: readonly string[]): BlockList {
  const list = new BlockList();
  for (const subnet of subnets) {
    const [address = "", bits = ""] = subnet.split("/");
    list.addSubnet(address, Number(bits), isIP(address) === 4 ? "ipv4" : "ipv6");
  }
  return list;
}
