import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { readPicture } from "../../src/engine/engine.js";
import { loadRuntime, NATIVE, type Runtime } from "../../src/engine/runtime.js";
import { loadModels } from "../../src/engine/session.js";

const SAMPLE = fileURLToPath(new URL("../../samples/embossed/card-03.jpg", import.meta.url));
const DIST = new URL("../../dist/engine/", import.meta.url);

const broken = (name: Runtime["name"]): Runtime => ({ name, load: () => Promise.reject(new Error("no such file")) });

it("reads the same without the native file, and says what to install where there is neither", async () => {
  const models = await loadModels();
  const { cards } = await readPicture(models, await readFile(SAMPLE));
  await models.close();
  // As on a platform that the native package has no file for.
  const script = `
    const { dlopen } = process;
    process.dlopen = (module, path, ...others) => {
      if (path.includes("onnxruntime")) throw new Error("no such file");
      return dlopen(module, path, ...others);
    };
    const { loadModels } = await import(${JSON.stringify(new URL("session.js", DIST).href)});
    const { readPicture } = await import(${JSON.stringify(new URL("engine.js", DIST).href)});
    const { readFile } = await import("node:fs/promises");
    const { cards } = await readPicture(await loadModels(), await readFile(${JSON.stringify(SAMPLE)}));
    console.log(cards[0].number.text);`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", script]);
  expect(stdout.trim()).toBe(cards[0]?.number?.text);
  await expect(loadRuntime([broken("native"), broken("wasm")])).rejects.toMatchObject({
    code: "engine-unavailable",
    message: expect.stringContaining("npm install"),
  });
}, 60_000);

it("leaves the slower runtime alone where the native one loads", async () => {
  let asked = 0;
  const wasm: Runtime = {
    name: "wasm",
    load: () => {
      asked++;
      return NATIVE.load();
    },
  };
  await loadRuntime([NATIVE, wasm]);
  expect(asked).toBe(0);
});
