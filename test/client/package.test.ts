import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, inject, type TestContext, test } from "vitest";
import { openTestRedis } from "../helpers/redis.js";

const run = promisify(execFile);
const PROJECT = fileURLToPath(new URL("../..", import.meta.url));
const { keys } = openTestRedis();

/** A project with nothing in it but the package, as `npm pack` makes it. */
let folder: string;
/** Null: npm could not bring what the package depends on. */
let installed: string | null = null;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "cardbatch-empty-"));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "empty", private: true, type: "module" }));
  const { stdout } = await run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder], {
    cwd: PROJECT,
  });
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
  const flags = ["--prefer-offline", "--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund"];
  installed = await run("npm", ["install", `./${filename}`, ...flags], { cwd: folder }).then(
    () => join(folder, "node_modules", "cardbatch"),
    (error: Error & { stderr: string }) => {
      if (!/ENOTFOUND|ECONN|ETIMEDOUT|ENOTCACHED|EAI_AGAIN/.test(error.stderr)) throw error;
      return null;
    },
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function needPackages({ skip }: TestContext): void {
  if (installed === null) skip("npm cannot bring the packages here");
}

/** Runs a module in the empty project. */
async function runModule(name: string, text: string, args: readonly string[] = []): Promise<string> {
  writeFileSync(join(folder, name), text);
  const env = { PATH: process.env.PATH ?? "", REDIS_URL: inject("redisUrl"), PREFIX: keys.prefix };
  return (await run(process.execPath, [...args, name], { cwd: folder, env })).stdout;
}

/** Writes the address of each module that is loaded to stdout. */
const LIST_MODULES = `
import { register } from "node:module";
register("data:text/javascript," + encodeURIComponent(\`
  import { writeSync } from "node:fs";
  export async function load(url, context, next) {
    writeSync(1, url + "\\\\n");
    return next(url, context);
  }
\`));`;

describe("the package in an empty project", () => {
  test("loads nothing else of the application, and neither Redis driver nor BullMQ before they are used", async (context) => {
    needPackages(context);
    writeFileSync(join(folder, "list.mjs"), LIST_MODULES);
    const stdout = await runModule("load.mjs", 'import "cardbatch";', ["--import", "./list.mjs"]);
    const files = stdout
      .split("\n")
      .filter((url) => url.startsWith("file:"))
      .map((url) => relative(folder, fileURLToPath(url)));
    const ours = files.filter((file) => file.startsWith("node_modules/cardbatch/"));
    expect(ours).toContain("node_modules/cardbatch/dist/client/index.js");
    for (const file of ours) expect(file).toMatch(/^node_modules\/cardbatch\/dist\/(client|domain)\//);
    const packages = new Set(files.map((file) => /^node_modules\/([^/]+)/.exec(file)?.[1] ?? "the script"));
    expect([...packages].sort()).toEqual(["cardbatch", "the script", "zod"]);
  });

  test("type-checks a strict TypeScript service, declarations of libraries included", async (context) => {
    needPackages(context);
    writeFileSync(join(folder, "service.ts"), SERVICE);
    const types = ["--types", "node", "--typeRoots", join(PROJECT, "node_modules/@types")];
    const modules = ["--module", "nodenext", "--moduleResolution", "nodenext", "--target", "es2022"];
    const strict = [
      "--strict",
      "--exactOptionalPropertyTypes",
      "--noUncheckedIndexedAccess",
      "--skipLibCheck",
      "false",
    ];
    const tsc = join(PROJECT, "node_modules/typescript/bin/tsc");
    const compiling = run(process.execPath, [tsc, ...types, ...modules, ...strict, "service.ts"], { cwd: folder });
    expect(await compiling.catch(({ stdout }) => ({ stdout }))).toMatchObject({ stdout: "" });
    expect(await runModule("main.mjs", 'import "./service.js";')).toBe(
      "http-unavailable function\naccepted 1\nrefused payload-invalid\n",
    );
  });

  test("ships the JSON Schemas", async (context) => {
    needPackages(context);
    const stdout = await runModule(
      "schemas.mjs",
      `import job from "cardbatch/schemas/v1/image-job.json" with { type: "json" };
       import outcome from "cardbatch/schemas/v1/outcome.json" with { type: "json" };
       console.log(job.$id, outcome.$id);`,
      ["--no-warnings"],
    );
    expect(stdout).toBe("urn:cardbatch:schema:v1:image-job urn:cardbatch:schema:v1:outcome\n");
  });
});

/** Enqueues, and takes an outcome that it put there itself: no worker is about. */
const SERVICE = `
import { CardbatchClient, CardbatchClientError, consumeResults, createProducer, type OutcomeRecord, verifyWebhook } from "cardbatch";

const client = new CardbatchClient({ baseUrl: "http://127.0.0.1:1", apiKey: "cbk_a.b", retries: 0 });
const unreachable: unknown = await client.request("r_1").catch((error: unknown) => error);
if (unreachable instanceof CardbatchClientError) console.log(unreachable.code, typeof verifyWebhook);

const redisUrl: string = process.env.REDIS_URL ?? "";
const prefix: string = process.env.PREFIX ?? "";
const producer = createProducer({ redisUrl, prefix });
const enqueued = await producer.add({ image: { root: "archive", path: "a.jpg", page: 0 }, batch: "crm", ref: "mine" });
console.log("accepted", enqueued.length);
const failure: unknown = await producer.add({ image: { path: "" }, batch: "crm" }).catch((error: unknown) => error);
if (failure instanceof CardbatchClientError) console.log("refused", failure.code);
await producer.close();

const consumer = consumeResults({ redisUrl, prefix, destination: "crm" }, async (outcome: OutcomeRecord, { attempt }) => {
  const masked: string | undefined = outcome.cards[0]?.number?.masked;
  console.log(outcome.outcome, masked, attempt);
});
await consumer.close();
`;
