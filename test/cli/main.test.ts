import { once } from "node:events";
import { expect, onTestFinished, test } from "vitest";
import { cardNumber } from "../helpers/card-numbers.js";
import { openPlace } from "../helpers/cli.js";

const MANY = Array.from({ length: 2000 }, (_, i) => `/nowhere/${i}.jpg`);

test.each([
  ["an option's value", (pan: string) => ["run", "scans", "--provider", "local", "--batch", pan]],
  ["an argument", (pan: string) => ["keys", "destination", "add", pan, "--jwk", "key.json"]],
  ["a file's name", (pan: string) => ["status", "--config", `scan-${pan}.json`]],
])("a card number in %s is masked where it is refused", async (_, argsOf) => {
  const place = openPlace();
  onTestFinished(() => place.close());
  const pan = cardNumber();
  const { code, stderr } = await place.run(argsOf(pan));
  expect([2, 3]).toContain(code);
  expect(stderr).not.toBe("");
  expect(stderr).not.toContain(pan);
});

test("who reads the output may leave, as head does", async () => {
  const place = openPlace();
  onTestFinished(() => place.close());
  const { child, stderr, done } = place.start(["recognize", ...MANY]);
  await once(child.stdout as NodeJS.ReadableStream, "data");
  child.stdout?.destroy();
  const { code } = await done;
  expect(stderr()).toBe("");
  expect(code).toBe(130);
});

test.each(["run", "evaluate"])("%s looks at --truth before it begins", async (command) => {
  const place = openPlace();
  onTestFinished(() => place.close());
  const args = [command, ".", "--provider", "local", "--truth", "nowhere.csv"];
  expect(await place.run(args)).toMatchObject({ code: 2, stderr: "cardbatch: --truth nowhere.csv: no such file\n" });
});

test.runIf(process.platform === "linux")("an --out that takes no file is told as such", async () => {
  const place = openPlace();
  onTestFinished(() => place.close());
  await place.run(["keys", "init"]);
  const { code, stderr } = await place.run(["run", ".", "--provider", "local", "--out", "/proc/self"]);
  expect(stderr).toMatch(/--out \/proc\/self: cannot be written \(E\w+\)/);
  expect(code).toBe(2);
});
