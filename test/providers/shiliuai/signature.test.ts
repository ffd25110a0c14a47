import { expect, test } from "vitest";
import { shiliuaiSignature } from "../../../src/providers/shiliuai/signature.js";

test("S1 key, milliseconds and secret joined by &", () => {
  expect(shiliuaiSignature("demo-key", 1_700_000_000_000, "demo-secret")).toBe("24ef39bfd2e96130b71de9eacad88241");
});
