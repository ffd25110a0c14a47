import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { median, round } from "../lib/figures.mjs";
import { drawTiny } from "../lib/pictures.mjs";

const SAMPLE_MS = 250;
const MB = 1024 * 1024;

/** `run` over few images and over many: what the process holds in the second half of its way. */
export const memoryRow = {
  name: "memory",
  what: "memory of run, few and many images",
  measure: async (place, scale) => {
    const emulator = await place.startEmulator([]);
    const [few, many] = scale.memoryImages;
    const small = await memoryOf(place, emulator, few);
    const large = await memoryOf(place, emulator, many);
    await emulator.stop();
    const growth = large / small - 1;
    return {
      value: round(growth, 3),
      measured: `${(large / MB).toFixed(0)} MB at ${many} images, ${growth < 0 ? "" : "+"}${(100 * growth).toFixed(0)} %`,
      beside: `${(small / MB).toFixed(0)} MB at ${few}`,
      goal: "flat (± 10 %)",
      met: growth <= 0.1,
      rounds: { small, large },
    };
  },
};

async function memoryOf(place, emulator, images) {
  const folder = join(place.folder, `memory-${images}`);
  const out = join(place.folder, "memory-out");
  rmSync(out, { recursive: true, force: true });
  await drawTiny(folder, images);
  await place.forget();
  await emulator.reset();
  const args = ["run", folder, "--provider", "huawei", "--rate", "10000", "--out", out];
  const command = place.start(args, emulator.env);
  const samples = [];
  let isDone = false;
  command.done.then(() => {
    isDone = true;
  });
  while (!isDone) {
    samples.push(residentBytes(command.child.pid));
    await sleep(SAMPLE_MS);
  }
  const { code, stderr } = await command.done;
  if (code !== 0) throw new Error(`run ended with ${code}:\n${stderr}`);
  rmSync(folder, { recursive: true });
  return median(samples.slice(samples.length >> 1).filter((bytes) => bytes > 0));
}

/** @returns 0 where the system has no /proc, or the process is gone */
function residentBytes(pid) {
  try {
    return 1024 * Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
