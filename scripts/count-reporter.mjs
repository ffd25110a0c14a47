// A vitest reporter: writes what test.mjs counts to the file that CARDBATCH_TEST_COUNTS names.
import { writeFileSync } from "node:fs";

export default class CountReporter {
  onTestRunEnd(modules, unhandledErrors) {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const withState = (state) => tests.filter((test) => test.result().state === state);
    const notLoaded = modules.filter((module) => module.state() === "failed" && module.errors().length > 0);
    const counts = {
      passed: withState("passed").length,
      failed: withState("failed").length + notLoaded.length + unhandledErrors.length,
      skipped: withState("skipped").map((test) => `${test.module.relativeModuleId}: ${test.fullName}`),
    };
    writeFileSync(process.env.CARDBATCH_TEST_COUNTS, JSON.stringify(counts));
  }
}
