import { createCipheriv, randomBytes } from "node:crypto";
import { open } from "node:fs/promises";
import { join } from "node:path";
import fastify from "fastify";

/** The least that a server can do with an image that it must not lose or leave readable: a key checked by nobody, no queue, no answer kept. */
const { folder } = JSON.parse(process.argv[2]);
const server = fastify({ logger: false });
server.addContentTypeParser("multipart/form-data", (_request, payload, done) => done(null, payload));
server.post("/", async (request, reply) => {
  const name = randomBytes(16).toString("hex");
  const file = await open(join(folder, name), "wx", 0o600);
  const cipher = createCipheriv("aes-256-gcm", randomBytes(32), randomBytes(12));
  try {
    for await (const chunk of request.body) await file.writeFile(cipher.update(chunk));
    await file.writeFile(Buffer.concat([cipher.final(), cipher.getAuthTag()]));
    await file.datasync();
  } finally {
    await file.close();
  }
  return reply.code(202).send({ name });
});
const url = await server.listen({ host: "127.0.0.1", port: 0 });
console.log(JSON.stringify({ listening: url }));
process.once("SIGTERM", () => server.close());
