import { defineConfig } from "vitest/config";

/** `--mode live` runs the tests that reach a vendor for real, and only those. */
export default defineConfig(({ mode }) => ({
  test: {
    include: [mode === "live" ? "test/**/*.live.ts" : "test/**/*.test.ts"],
    globalSetup: "test/global-setup.ts",
    pool: "forks",
    maxWorkers: 2,
    // Generous: a busy machine is no fault of the code.
    testTimeout: 90_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 5000 } },
  },
}));
