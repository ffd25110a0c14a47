// Preloaded into a process that is measured (`node --import`): when it exits, it writes what it has used.
import { writeFileSync } from "node:fs";

const { BENCH_USAGE_FILE: file } = process.env;
if (file !== undefined) {
  // Whoever is measured starts no process that is to be measured with it.
  delete process.env.BENCH_USAGE_FILE;
  process.on("exit", () => {
    const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
    const usage = { cpuMs: (userCPUTime + systemCPUTime) / 1000, maxRssBytes: maxRSS * 1024 };
    writeFileSync(file, JSON.stringify(usage));
  });
}
