import type { FastifyInstance } from "fastify";
import type { App } from "../app.js";
import { createOcrServer } from "../http/ocr/ocr-server.js";
import { registerOcr } from "../http/ocr/register.js";
import { createHuaweiServer } from "../providers/huawei/server.js";
import { createShiliuaiServer } from "../providers/shiliuai/server.js";
import { vendorAccounts } from "./vendor-accounts.js";

/** Requests in hand at a time: twenty pictures to a core wait for half a second or so, and take 200 MB at the vendors' limits. */
const MOST_IN_HAND = 40;
const NOBODY = {
  huawei: { projectId: null, token: null, keys: null },
  shiliuai: { appCode: null, keys: null },
};

/**
 * Adds both vendors' APIs to a server; it knows the credentials of the settings, and nobody where there are none.
 * @throws ConfigError
 */
export async function addOcr(server: FastifyInstance, app: App): Promise<void> {
  const { huawei, shiliuai } = vendorAccounts(app.config);
  const vendors = [
    createHuaweiServer({ ...(huawei ?? NOBODY.huawei), iamToken: null }),
    createShiliuaiServer(shiliuai ?? NOBODY.shiliuai),
  ];
  const ocr = createOcrServer({ mostInHand: MOST_IN_HAND }, { vendors, engine: app.engine, now: () => Date.now() });
  await server.register(async (scope) => registerOcr(scope, ocr));
}
