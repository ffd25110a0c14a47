// What somebody would write who needs no more than the answers: p-limit and undici; every picture is read, hashed, put into
// base64, signed, sent; the reading is encrypted with jose and a line appended. Nothing is resumed, paced or retried.
// Lines are synced to disk in groups, as cardbatch does: what gathers while one sync is under way shares the next.
import { createHash, createHmac, hash, randomBytes } from "node:crypto";
import { open, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { CompactEncrypt } from "jose";
import pLimit from "p-limit";
import { Agent, request } from "undici";

const { folder, out, endpoint, project, accessKey, secretKey, concurrency } = JSON.parse(process.argv[2]);
const path = `/v2/${project}/ocr/bankcard`;
const dispatcher = new Agent({ connections: concurrency });
const key = await crypto.subtle.importKey("raw", randomBytes(32), "AES-KW", false, ["wrapKey"]);
const lines = await openLines(out);
const limit = pLimit(concurrency);
const entries = await readdir(folder, { recursive: true, withFileTypes: true });
const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
await Promise.all(files.map((file) => limit(() => readCard(file))));
await lines.close();
await dispatcher.close();

async function readCard(file) {
  const bytes = await readFile(file);
  const image = hash("sha256", bytes, "hex");
  const body = Buffer.from(`{"image":"${bytes.toString("base64")}"}`, "latin1");
  const { statusCode, body: reply } = await request(endpoint + path, {
    dispatcher,
    method: "POST",
    headers: sign(body),
    body,
  });
  const { result } = await reply.json();
  if (statusCode !== 200) throw new Error(`${file}: ${statusCode}`);
  const jwe = await new CompactEncrypt(Buffer.from(JSON.stringify(result)))
    .setProtectedHeader({ alg: "A256KW", enc: "A256GCM" })
    .encrypt(key);
  const masked = result.card_number.replace(/(?<=^\d{6})\d+(?=\d{4}$)/, (digits) => "*".repeat(digits.length));
  await lines.append(`${JSON.stringify({ file, image, masked, bank: result.bank_name, jwe, at: new Date() })}\n`);
}

/** Huawei Cloud's SDK-HMAC-SHA256. */
function sign(body) {
  const date = `${new Date().toISOString().slice(0, 19).replace(/[-:]/g, "")}Z`;
  const host = new URL(endpoint).host;
  const headers = { "content-type": "application/json", host, "x-sdk-date": date };
  const names = Object.keys(headers).sort();
  const canonical = names.map((name) => `${name}:${headers[name]}\n`).join("");
  const toHash = ["POST", `${path}/`, "", canonical, names.join(";"), sha256(body)].join("\n");
  const toSign = ["SDK-HMAC-SHA256", date, sha256(toHash)].join("\n");
  const signature = createHmac("sha256", secretKey).update(toSign).digest("hex");
  const authorization = `SDK-HMAC-SHA256 Access=${accessKey}, SignedHeaders=${names.join(";")}, Signature=${signature}`;
  return { ...headers, authorization };
}

function sha256(data) {
  return createHash("sha256").update(data).digest("hex");
}

async function openLines(name) {
  const handle = await open(name, "a");
  let gathering = [];
  let isWriting = false;
  const writeAll = async () => {
    isWriting = true;
    while (gathering.length > 0) {
      const group = gathering;
      gathering = [];
      await handle.appendFile(group.map(({ line }) => line).join(""));
      await handle.datasync();
      for (const { resolve } of group) resolve();
    }
    isWriting = false;
  };
  return {
    append: (line) =>
      new Promise((resolve) => {
        gathering.push({ line, resolve });
        if (!isWriting) void writeAll();
      }),
    close: () => handle.close(),
  };
}
