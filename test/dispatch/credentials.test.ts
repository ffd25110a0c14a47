import { describe, expect, test } from "vitest";
import { createCredentialRenewal } from "../../src/dispatch/credentials.js";
import { ProviderError } from "../../src/domain/errors.js";
import { createParts } from "./parts.js";

const NEVER = new AbortController().signal;
const REFUSED = new ProviderError("provider-token", "the token is no longer valid", { requestId: "h-1" });
const STOPPED = { code: "provider-credentials", requestId: "h-1" };

function open(renew?: () => Promise<void>) {
  const { provider, happened } = createParts({
    call: () => Promise.reject(),
    ...(renew === undefined ? {} : { renew }),
  });
  const credentials = createCredentialRenewal(provider);
  return { ...credentials, refused: (epoch: number) => credentials.refused(epoch, REFUSED, NEVER), happened };
}

describe("credentials that are refused", () => {
  test("are renewed once for all calls that were under way with them", async () => {
    const { epoch, refused, happened } = open(async () => {});
    const old = epoch();
    await Promise.all([refused(old), refused(old), refused(old)]);
    await refused(old);
    expect([epoch(), happened]).toEqual([old + 1, ["renewed"]]);
  });

  test("are renewed every time that they have worked in between", async () => {
    const { epoch, refused, worked, happened } = open(async () => {});
    for (let i = 0; i < 3; i++) {
      await refused(epoch());
      worked(epoch());
    }
    expect(happened).toEqual(["renewed", "renewed", "renewed"]);
  });

  test("right after they were renewed are wrong", async () => {
    const { epoch, refused, worked, happened } = open(async () => {});
    const old = epoch();
    await refused(old);
    // A late success of the old ones says nothing of the new.
    worked(old);
    await expect(refused(epoch())).rejects.toMatchObject(STOPPED);
    expect(happened).toEqual(["renewed"]);
  });

  test("without a way to renew them are wrong at once", async () => {
    const { epoch, refused } = open();
    await expect(refused(epoch())).rejects.toMatchObject(STOPPED);
  });

  test("are renewed by a later refusal when that failed, one at a time", async () => {
    let tries = 0;
    const { epoch, refused } = open(async () => {
      if (++tries === 1) throw new ProviderError("provider-unavailable", "503");
    });
    const old = epoch();
    const first = await Promise.allSettled([refused(old), refused(old)]);
    expect(first.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    await Promise.all([refused(old), refused(old)]);
    expect([tries, epoch()]).toEqual([2, old + 1]);
  });
});
