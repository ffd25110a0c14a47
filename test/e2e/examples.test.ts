import { execFile, spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, type TestContext, test } from "vitest";
import { maskDigits, Pan } from "../../src/domain/pan.js";
import { createVault } from "../../src/vault/vault.js";
import { cardNumber } from "../helpers/card-numbers.js";
import { openPlace, type Place } from "../helpers/cli.js";
import { type RunningServer, startServe } from "../helpers/serve.js";
import { testKeyring } from "../vault/test-keyring.js";

const run = promisify(execFile);
const PROJECT = fileURLToPath(new URL("../..", import.meta.url));
const EXAMPLES = join(PROJECT, "examples");
const BUILT = join(PROJECT, ".cache", "examples");
const SAMPLE = join(PROJECT, "samples/flat/card-01.jpg");

let place: Place;
let server: RunningServer;
let env: Record<string, string>;
let apiKey: { id: string; key: string; webhookSecret: string };
/** What the examples print of the sample, whose number no issuer has. */
let expected: string;

beforeAll(async () => {
  const compiling = compileExamples();
  place = openPlace();
  await mkdir(place.path("scans"));
  for (const name of ["a.jpg", "b.jpg"]) await copyFile(SAMPLE, place.path("scans", name));
  const settings = { CARDBATCH_ROOTS: `scans=${place.path("scans")}`, CARDBATCH_LOCAL_THRESHOLD: "0" };
  expect((await place.run(["keys", "init"])).code).toBe(0);
  const made = await place.run(["keys", "api", "add", "--name", "examples"]);
  apiKey = JSON.parse(made.stdout) as typeof apiKey;
  server = await startServe(place, ["--provider", "local", "--work"], settings);
  env = { ...place.env, CARDBATCH_URL: server.url, CARDBATCH_KEY: apiKey.key };
  expected = `review ${await maskedNumber("flat/card-01.jpg")}`;
  await compiling;
});

/** Compiles the TypeScript examples against the package as it is built. */
async function compileExamples(): Promise<void> {
  const tsc = join(PROJECT, "node_modules/typescript/bin/tsc");
  const sources = ["read-image.ts", "receive-webhook.ts", "queue.ts"].map((name) => join(EXAMPLES, "typescript", name));
  const modules = ["--module", "nodenext", "--target", "es2022", "--strict", "--types", "node"];
  await run(
    process.execPath,
    [tsc, "--ignoreConfig", ...modules, "--rootDir", join(EXAMPLES, "typescript"), "--outDir", BUILT, ...sources],
    { cwd: PROJECT },
  ).catch(({ stdout }: { stdout: string }) => expect(stdout).toBe(""));
}

/** What the sample's label says, as outcomes show it. */
async function maskedNumber(file: string): Promise<string> {
  const truth = await readFile(join(PROJECT, "samples/truth.csv"), "utf8");
  const [, digits = ""] = new RegExp(`^${file},0,(\\d+),`, "m").exec(truth) ?? [];
  return maskDigits(digits);
}

afterAll(async () => {
  await place.close();
  await rm(BUILT, { recursive: true, force: true });
});

/** Skips the test, by name, where a program is missing. */
async function need({ skip }: TestContext, program: string, args: readonly string[]): Promise<void> {
  await run(program, [...args]).catch(() => skip(`${program} ${args.join(" ")} does not run here`));
}

async function output(program: string, args: readonly string[], more: Record<string, string> = {}): Promise<string> {
  const options = { env: { ...env, ...more }, cwd: PROJECT, timeout: 80_000 };
  return (await run(program, [...args], options)).stdout.trimEnd();
}

const example = (name: string) => join(EXAMPLES, name);
const built = (name: string) => join(BUILT, name);

describe("an image is sent and its outcome printed", () => {
  test("by curl", async (context) => {
    await need(context, "curl", ["--version"]);
    const { requests } = JSON.parse(await output("sh", [example("curl/read-image.sh"), SAMPLE, "curl"])) as {
      requests: [{ ref: string; outcome: { outcome: string; cards: [{ number: { masked: string } }] } }];
    };
    const [{ ref, outcome }] = requests;
    expect(ref).toBe("curl");
    expect(`${outcome.outcome} ${outcome.cards[0].number.masked}`).toBe(expected);
  });

  test("by TypeScript", async () => {
    // The key's batch of today has it already, by curl.
    expect(await output(process.execPath, [built("read-image.js"), SAMPLE, "ts"])).toMatch(lastOf(expected));
  });

  test("by TypeScript, of images that the server has", async () => {
    const args = ["--stored", "scans", "a.jpg", "b.jpg"];
    const lines = (await output(process.execPath, [built("read-image.js"), ...args])).split("\n");
    expect(lines.sort()).toEqual([expected.replace("review", "duplicate"), expected]);
  });

  test("by Python", async (context) => {
    await need(context, "python3", ["--version"]);
    expect(await output("python3", [example("python/read_image.py"), SAMPLE, "python"])).toMatch(lastOf(expected));
  });

  test("by Java", async (context) => {
    await need(context, "java", ["--version"]);
    expect(await output("java", [example("java/ReadImage.java"), SAMPLE, "java"])).toMatch(lastOf(expected));
  });

  test("by Go", async (context) => {
    await need(context, "go", ["version"]);
    expect(await output("go", ["run", example("go/read_image.go"), SAMPLE, "go"])).toMatch(lastOf(expected));
  });
});

test("images go on the queue and their outcomes come back, by TypeScript", async () => {
  const lines = (await output(process.execPath, [built("queue.js"), "scans", "a.jpg", "b.jpg"])).split("\n");
  expect(lines.sort()).toEqual([expected.replace("review", "duplicate"), expected]);
});

test("outcomes are checked against the JSON Schema by BullMQ alone", async () => {
  const { createProducer } = await import("../../src/client/index.js");
  const prefix = place.env.CARDBATCH_PREFIX ?? "";
  const producer = createProducer({ redisUrl: place.env.REDIS_URL ?? "", prefix });
  const images = ["a.jpg", "missing.jpg"].map((path) => ({ root: "scans", path, page: 0 }));
  await producer.add(images.map((image) => ({ image, batch: "plain", destination: "plain" })));
  await producer.close();
  const lines = (await output(process.execPath, [example("bullmq/consume.mjs"), "plain", "2"])).split("\n");
  expect(lines.sort()).toEqual(["failed image-not-found", expected]);
});

describe("webhooks are checked and taken once", () => {
  test.for([
    ["Python", "python3", example("python/receive_webhook.py")],
    ["TypeScript", process.execPath, built("receive-webhook.js")],
  ] as const)("by %s", async ([language, program, script], context) => {
    await need(context, program, ["--version"]);
    const child = spawn(program, [script, "0"], {
      env: { ...env, CARDBATCH_WEBHOOK_SECRET: apiKey.webhookSecret },
      stdio: ["ignore", "pipe", "inherit"],
    });
    try {
      let stdout = "";
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        stdout += text;
      });
      await expect.poll(() => stdout).toContain("listening");
      const port = Number(/(\d{2,5})\D*$/.exec(stdout)?.[1]);
      const { signWebhook } = await import("../../src/webhooks/sign.js");
      const { recordOf } = await import("../helpers/records.js");
      const body = JSON.stringify({
        type: "request.finished",
        timestamp: new Date().toISOString(),
        data: recordOf("b", language, "failed", { code: "image-corrupt", message: "cut" }),
      });
      const headers = signWebhook("msg_1", Date.now(), body, [apiKey.webhookSecret]);
      const send = async (more = {}) => {
        const init = { method: "POST", headers: { ...headers, ...more }, body };
        return (await fetch(`http://127.0.0.1:${port}/`, init)).status;
      };
      expect(await send({ "webhook-id": "msg_2" })).toBe(400);
      expect([await send(), await send()]).toEqual([204, 204]);
      await expect.poll(() => stdout.match(/failed image-corrupt/g)).toHaveLength(1);
    } finally {
      child.kill("SIGKILL");
      await once(child, "close");
    }
  });
});

describe("a number that only its asker can read is opened", () => {
  const PYTHON = { program: "python3", check: ["-c", "import cryptography"], script: example("python/open_jwe.py") };
  const JAVA = { program: "java", check: ["--version"], script: example("java/OpenJwe.java") };
  test.for([
    ...(["P-256", "P-384", "P-521", "X25519"] as const).map((curve) => ["Python", curve, PYTHON] as const),
    ...(["P-256", "P-521"] as const).map((curve) => ["Java", curve, JAVA] as const),
  ])("by %s on %s", async ([language, curve, { program, check, script }], context) => {
    await need(context, program, check);
    const pair = curve === "X25519" ? generateKeyPairSync("x25519") : generateKeyPairSync("ec", { namedCurve: curve });
    const vault = createVault(testKeyring());
    const seal = vault.sealFor("crm", vault.recordRecipient("crm", pair.publicKey.export({ format: "jwk" })));
    const number = cardNumber();
    const jwe = await seal.sealNumber(new Pan(number), { request: "r_1", field: "cards.0.number" });
    const file = place.path(`${language}-${curve}.jwk`);
    await writeFile(file, JSON.stringify(pair.privateKey.export({ format: "jwk" })));
    expect(await output(program, [script, file, jwe, "r_1", "cards.0.number"])).toBe(number);
    if (curve !== "P-256") return;
    await expect(output(program, [script, file, jwe, "r_2", "cards.0.number"])).rejects.toThrow(/another/);
  });
});

test("the list of examples names every file, and no other", async () => {
  const listed = [...(await readFile(example("README.md"), "utf8")).matchAll(/^\| `(\S+)`/gm)].map(([, name]) => name);
  const files = (await readdir(EXAMPLES, { recursive: true })).filter((name) => /\/.*\.\w+$/.test(name));
  expect(listed.sort()).toEqual(files.sort());
});

/** The same number; all but the first of a batch are its duplicates. */
function lastOf(line: string): RegExp {
  return new RegExp(`^(review|duplicate) ${line.split(" ")[1]?.replaceAll("*", "\\*")}$`);
}
