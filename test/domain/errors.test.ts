import { describe, expect, test } from "vitest";
import {
  CancelledError,
  CardbatchError,
  ERROR_CATALOGUE,
  ERROR_CODES,
  ImageError,
  isErrorCode,
  ProviderError,
  SinkError,
  toCardbatchError,
} from "../../src/domain/errors.js";

describe("the error catalogue", () => {
  test.each(ERROR_CODES)("%s says what to do, in words that end a message", (code) => {
    const { hint } = ERROR_CATALOGUE[code];
    expect(code).toMatch(/^[a-z]+(-[a-z]+)*$/);
    expect(hint).toMatch(/^[a-z`].*[^.\s]$/);
  });

  test("what an image is blamed for is final, and storage is not blamed on the image", () => {
    for (const code of ERROR_CODES.filter((each) => each.startsWith("image-") && each !== "image-in-work")) {
      expect(ERROR_CATALOGUE[code].disposition, code).toBe("fail");
    }
    expect(ERROR_CATALOGUE["storage-unavailable"].disposition).toBe("retry");
  });
});

describe("isErrorCode", () => {
  test.each([
    ["image-empty", true],
    ["image-", false],
    ["", false],
    ["toString", false],
    ["__proto__", false],
  ])("%j: %s", (text, is) => {
    expect(isErrorCode(text)).toBe(is);
  });
});

describe("errors", () => {
  test.each([
    [new ImageError("image-empty", "m"), "ImageError", "fail"],
    [new ProviderError("provider-throttled", "m"), "ProviderError", "defer"],
    [new SinkError("sink-unavailable", "m"), "SinkError", "retry"],
    [new CancelledError(), "CancelledError", "defer"],
  ])("%s", (error, name, disposition) => {
    expect(error).toBeInstanceOf(CardbatchError);
    expect(error).toMatchObject({ name, disposition, hint: ERROR_CATALOGUE[error.code].hint });
    expect(toCardbatchError(error)).toBe(error);
  });

  test("a provider's error says nothing that it was not told", () => {
    expect(new ProviderError("provider-refused", "m")).toMatchObject({
      vendorCode: null,
      httpStatus: null,
      requestId: null,
      retryAfterMs: null,
      uncertain: false,
      billable: false,
      notSent: false,
      maxAttempts: null,
      details: {},
    });
  });

  test.each([new TypeError("secret"), "secret", { secret: 1 }, null, undefined])(
    "%o is a fault of ours, told without its text",
    (thrown) => {
      const error = toCardbatchError(thrown);
      expect(error).toMatchObject({ code: "internal", disposition: "retry" });
      expect(error.message).not.toContain("secret");
    },
  );
});
