import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Browser, findChromium, LOOKS, NO_CHROMIUM, NOTHING_WRONG, openBrowser } from "../../helpers/browser.js";
import { startService } from "./service.js";

const chromium = await findChromium();

describe.skipIf(chromium === null)(`/docs in a browser${chromium === null ? ` (${NO_CHROMIUM})` : ""}`, () => {
  let browser: Browser;
  let url: string;
  beforeAll(async () => {
    url = `${(await startService()).url}/docs`;
    if (chromium !== null) browser = await openBrowser(chromium);
  });
  afterAll(() => browser.close());

  it.each(LOOKS)("asks for nothing, says nothing, fits, and axe finds nothing: %o", async (look) => {
    expect(await browser.inspect(url, look)).toEqual(NOTHING_WRONG);
  });
});
