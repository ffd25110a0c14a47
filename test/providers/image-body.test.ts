import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeBase64, decodeImageBody, encodeImageBody } from "../../src/providers/image-body.js";

const bytes = fc.uint8Array({ minLength: 1, maxLength: 300 }).map((array) => Buffer.from(array));

test("a body is what JSON makes of it, and leads back to the picture", () => {
  fc.assert(
    fc.property(bytes, (image) => {
      const body = encodeImageBody('{"image":"', image, '","return_text_location":true}');
      expect(JSON.parse(body.toString())).toEqual({ image: image.toString("base64"), return_text_location: true });
      const decoded = decodeImageBody(body, "image");
      expect(decoded).toEqual({ fields: { image: "", return_text_location: true }, base64: image.toString("base64") });
      expect(decodeBase64(decoded?.base64 ?? "")?.equals(image)).toBe(true);
    }),
  );
});

test("however a caller writes it, the picture and the other fields come out", () => {
  const fields = fc.dictionary(fc.string(), fc.jsonValue());
  fc.assert(
    fc.property(bytes, fields, fc.boolean(), fc.integer({ min: 0, max: 2 }), (image, others, isFirst, indent) => {
      const base64 = image.toString("base64");
      const object = isFirst ? { image: base64, ...others, url: "a" } : { ...others, url: "a", image: base64 };
      if ("image" in others || "__proto__" in others) return;
      const decoded = decodeImageBody(Buffer.from(JSON.stringify(object, null, indent)), "image");
      expect(decoded?.base64 ?? "").toBe(base64);
      expect(decoded?.fields).toMatchObject({ url: "a" });
    }),
  );
});

test.each([
  ['{"image":"aGk\\u003d"}', "aGk="],
  ['{"image":"","image":"aGk="}', "aGk="],
  ['{"image":""}', null],
  ['{"image":7}', null],
  ["{}", null],
])("%s holds %j", (body, base64) => expect(decodeImageBody(Buffer.from(body), "image")?.base64).toBe(base64));

test.each(["", "[]", "null", "{", '{"image":"', '{"image":"aGk="', '{"image":"aGk=" "b"}'])(
  "%j is no JSON object",
  (body) => {
    expect(decodeImageBody(Buffer.from(body), "image")).toBeNull();
  },
);

test.each(["aGk", "aGk=\n", "aG k=", "a===", "é===", "aGk=="])("%j is no base64", (text) => {
  expect(decodeBase64(text)).toBeNull();
});
