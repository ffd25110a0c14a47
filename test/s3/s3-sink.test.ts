import { request as httpRequest } from "node:http";
import { expect, onTestFinished, test } from "vitest";
import { createBuckets } from "../../src/app/buckets.js";
import { createSinks } from "../../src/app/sinks.js";
import { loadConfig } from "../../src/config/load-config.js";
import { ConfigError, SinkError } from "../../src/domain/errors.js";
import type { OutcomeRecord } from "../../src/domain/record.js";
import { createS3Client, type S3Transport } from "../../src/s3/s3-client.js";
import { createS3Sink } from "../../src/s3/s3-sink.js";
import { describeSink } from "../contract/sink-contract.js";
import { recordOf } from "../helpers/records.js";
import { S3_KEYS, type S3Server, startS3Server } from "../helpers/s3-server.js";

/** To this machine, whatever the URL's host: a bucket's host has no address here. */
const toThisMachine: S3Transport = ({ url, method, headers, body }) =>
  new Promise((resolve, reject) => {
    const options = {
      host: "127.0.0.1",
      port: url.port,
      method,
      path: url.pathname,
      headers: { ...headers, host: url.host },
    };
    const sent = httpRequest(options, async (reply) => {
      const chunks: Buffer[] = [];
      for await (const chunk of reply) chunks.push(chunk as Buffer);
      resolve({ status: reply.statusCode ?? 0, body: Buffer.concat(chunks), cut: null });
    });
    sent.on("error", reject).end(body);
  });

const openServer = async (addressing: "host" | "path") => {
  const server = await startS3Server(addressing);
  onTestFinished(() => server.stop().catch(() => {}));
  return server;
};
const sinkOf = (
  server: S3Server,
  addressing: "host" | "path",
  options: Partial<typeof S3_KEYS> = {},
  prefix = "cards/a b(1)",
) => {
  const client = createS3Client({ ...S3_KEYS, ...options, origin: server.origin, addressing }, toThisMachine);
  return createS3Sink(client, { bucket: "results", prefix, folder: "f1" });
};
const linesOf = ({ objects }: S3Server) =>
  [...objects.values()].flatMap((body) =>
    body
      .toString()
      .split("\n")
      .flatMap((line) => (line === "" ? [] : [JSON.parse(line) as OutcomeRecord])),
  );

for (const addressing of ["host", "path"] as const) {
  describeSink(`s3, the bucket in the ${addressing}`, async () => {
    const server = await openServer(addressing);
    let part = 1;
    return {
      open: async () => {
        const sink = sinkOf(server, addressing);
        let next = part;
        return {
          write: async (records) => {
            if (records.length > 0) await sink.write(records, part);
            next = records.length > 0 ? part + 1 : part;
          },
          commit: async () => {
            part = next;
          },
          close: sink.close,
        };
      },
      read: async () => linesOf(server),
      whileDown: async (act) => {
        await server.stop();
        await act();
        await server.start();
      },
    };
  });
}

test("an object a write and batch, under names that sort as they were written", async () => {
  const server = await openServer("path");
  const sink = sinkOf(server, "path", {}, "");
  await sink.write([recordOf("b", 1), recordOf("c", 2)], 9);
  await sink.write([recordOf("b", 3)], 10);
  expect([...server.objects.keys()].toSorted()).toEqual([
    "results/b/f1-00000009.ndjson",
    "results/b/f1-00000010.ndjson",
    "results/c/f1-00000009.ndjson",
  ]);
});

test.each([
  [{ secretKey: "wrong" as "test-secret-key" }, "403 SignatureDoesNotMatch"],
  [{ region: "elsewhere" as "cn-north-4" }, "403 SignatureDoesNotMatch"],
])("says what the store said to %j, and no key", async (options, why) => {
  const sink = sinkOf(await openServer("path"), "path", options);
  const error = await sink.write([recordOf("b", 1)], 1).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(SinkError);
  expect(String(error)).toContain(why);
  expect(String(error)).not.toMatch(/wrong|secret/);
});

test("is joined by its settings, with the application's own HTTP client", async () => {
  const server = await openServer("path");
  const app = (env: Record<string, string>) => {
    const config = loadConfig({ CARDBATCH_SINKS: "s3://results/cards", ...env }, undefined);
    const buckets = createBuckets(config);
    onTestFinished(() => buckets.close());
    return { config, buckets };
  };
  const settings = {
    CARDBATCH_S3_ENDPOINT: server.origin,
    CARDBATCH_S3_REGION: S3_KEYS.region,
    CARDBATCH_S3_ACCESS_KEY: S3_KEYS.accessKey,
    CARDBATCH_S3_SECRET_KEY: S3_KEYS.secretKey,
  };
  const [sink] = createSinks(app({ ...settings, CARDBATCH_S3_ADDRESSING: "path" }), "f1");
  await sink?.write([recordOf("b", 1)], 1);
  expect([...server.objects.keys()]).toEqual(["results/cards/b/f1-00000001.ndjson"]);
  expect(() => createSinks(app({ ...settings, CARDBATCH_S3_SECRET_KEY: "" }), "f1")).toThrow(ConfigError);
  expect(() => createSinks(app(settings), "f1")).toThrow("CARDBATCH_S3_ADDRESSING=path");
  const path = { ...settings, CARDBATCH_S3_ADDRESSING: "path" };
  expect(() => createSinks(app({ CARDBATCH_SINKS: "s3://results,s3://results", ...path }), "f1")).toThrow("twice");
});
