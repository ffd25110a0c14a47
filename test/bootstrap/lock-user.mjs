// A process that takes a lock `turns` times and counts in a file; with `die` it kills itself in its last turn.
// Prints "two at once" when another living process is inside, too.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { acquireLock } from "../../src/bootstrap/file-lock.mjs";
import { isRunning, processMark } from "../../src/bootstrap/process-mark.mjs";

const [folder, turns, die] = process.argv.slice(2);
const inside = `${folder}/inside`;
const counter = `${folder}/counter`;

for (let turn = 1; turn <= Number(turns); turn += 1) {
  const release = await acquireLock(`${folder}/lock`);
  const other = existsSync(inside) ? readFileSync(inside, "utf8") : "";
  if (other !== "" && isRunning(other)) console.log("two at once");
  writeFileSync(inside, processMark(process.pid) ?? "");
  const count = existsSync(counter) ? Number(readFileSync(counter, "utf8")) : 0;
  await sleep(1);
  writeFileSync(counter, String(count + 1));
  if (die === "die" && turn === Number(turns)) process.kill(process.pid, "SIGKILL");
  writeFileSync(inside, "");
  release();
}
