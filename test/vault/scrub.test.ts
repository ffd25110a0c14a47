import { Writable } from "node:stream";
import fc from "fast-check";
import { pino } from "pino";
import { describe, expect, it } from "vitest";
import { scrubLine } from "../../src/vault/scrub.js";
import { cardNumber, cardNumbers } from "../helpers/card-numbers.js";

const NUMBER = cardNumber();
const BLANKED = `${NUMBER.slice(0, 6)}000000${NUMBER.slice(-4)}`;
const SECRET = "s3cr3t/T0ken+value==";

/** JSON with numbers in any place: keys, strings, stringified bodies, bare. */
const records = fc
  .tuple(fc.jsonValue(), cardNumbers(), fc.string(), fc.constantFrom("token", "X-Auth-Token", "note", "Set-Cookie"))
  .map(([value, number, text, name]) => ({
    value,
    [name]: text,
    [`k ${number}`]: [Number(number.slice(0, 15)), `${text} ${number}`, JSON.stringify({ number, [name]: text })],
  }));

describe("scrubLine", () => {
  it("keeps JSON what it is, finds every number, and nothing the second time", () => {
    fc.assert(
      fc.property(records, (record) => {
        const { line, hits } = scrubLine(JSON.stringify(record));
        expect(hits).toBeGreaterThanOrEqual(3);
        expect(Object.keys(JSON.parse(line))).toHaveLength(3);
        expect(scrubLine(line)).toEqual({ line, hits: 0 });
      }),
    );
  });

  it("leaves no number in any text", () => {
    const texts = fc.tuple(fc.string(), cardNumbers(), fc.constantFrom("", "-", " ", "."), fc.string());
    fc.assert(
      fc.property(texts, ([before, number, separator, after]) => {
        const written = number.match(/.{1,4}/g)?.join(separator) ?? "";
        expect(scrubLine(`${before} ${written} ${after}`).line).not.toContain(written);
      }),
    );
  });

  it.each([
    [`{"n":${NUMBER}}`, `{"n":${BLANKED}}`],
    [`{"msg":"read ${NUMBER}\\n"}`, `{"msg":"read ${BLANKED}\\n"}`],
    [`Error: /a/${NUMBER}.jpg`, `Error: /a/${BLANKED}.jpg`],
    [`{"time":1731234567890,"key":"${"4".repeat(64)}"}`, `{"time":1731234567890,"key":"${"4".repeat(64)}"}`],
  ])("makes of %s %s", (line, scrubbed) => {
    expect(scrubLine(line).line).toBe(scrubbed);
  });

  it.each([
    `{"password":"${SECRET}"}`,
    `{"a":{"b":[{"X-Auth-Token" : "${SECRET}"}]}}`,
    `{"securitytoken":"a\\"${SECRET}\\\\"}`,
    `{"body":"{\\"app_code\\":\\"${SECRET}\\",\\"n\\":1}"}`,
    `{"url":"https://a/?access_token=${SECRET}&n=1"}`,
    `{"msg":"Authorization: Bearer ${SECRET}"}`,
    `{"msg":"APPCODE ${SECRET}"}`,
    `{"image":"${"aZ9+/-_".repeat(100)}${SECRET.slice(-2)}"}`,
    `{"image":"data:image/jpeg;base64,${"aZ9+/".repeat(200)}"}`,
  ])("takes the secret out of %.70s", (line) => {
    const scrubbed = scrubLine(line).line;
    expect(scrubbed).not.toMatch(/s3cr3t|aZ9/);
    expect(Object.keys(JSON.parse(scrubbed))).toEqual(Object.keys(JSON.parse(line)));
    expect(scrubLine(scrubbed).line).toBe(scrubbed);
  });

  it.each(['{"tokens":3,"name":"a secret place","image":{"key":"x"}}', '{"path":"/a/b.jpg"}', "", "not JSON", '"'])(
    "leaves %s alone",
    (line) => {
      expect(scrubLine(line)).toEqual({ line, hits: 0 });
    },
  );

  it("takes megabytes on one line", () => {
    for (const part of ["1", "token", '"', "\\", "4 ", '"token":"', "Bearer ", '"a', NUMBER]) {
      expect(scrubLine(part.repeat(100_000)).hits).toBe(0);
    }
    expect(scrubLine(JSON.stringify({ image: "a".repeat(20_000_000) })).line).toBe('{"image":"[redacted]"}');
  });

  it("is the last hand on what pino writes", () => {
    const lines: string[] = [];
    const stream = new Writable({ write: (chunk, _encoding, done) => done(void lines.push(String(chunk))) });
    const logger = pino({ hooks: { streamWrite: (line) => scrubLine(line).line } }, stream);
    logger.error({ err: new Error(`read ${NUMBER}`), deep: { er: { still: { token: SECRET } } } }, `image ${NUMBER}`);
    expect(lines.join("")).not.toContain(NUMBER);
    expect(lines.join("")).not.toContain(SECRET);
    expect(JSON.parse(lines.join(""))).toMatchObject({ msg: `image ${BLANKED}`, level: 50 });
  });
});
