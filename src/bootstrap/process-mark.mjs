// @ts-check
// Plain JavaScript with types in comments: scripts/ uses it before anything is installed or built.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/**
 * What tells a process from every other one, a later one with the same pid included: pid, start time, boot.
 * Good within one process namespace: two containers that share a folder cannot see each other's processes.
 * @param {number} pid
 * @returns {string | null} null when there is no such process, or only its zombie
 */
export function processMark(pid) {
  const started = process.platform === "linux" ? startOnLinux(pid) : startByPs(pid);
  return started === null ? null : `${pid} ${started}`;
}

/**
 * Whether the process with this mark still runs. A stopped one (SIGSTOP) does.
 * @param {string} mark as `processMark` gave it
 */
export function isRunning(mark) {
  return processMark(pidOf(mark)) === mark;
}

/**
 * @param {string} mark
 * @returns {number} NaN when it is no mark
 */
export function pidOf(mark) {
  return Number.parseInt(mark, 10);
}

/**
 * Start time in clock ticks since boot (field 22 of proc_pid_stat(5)) and the boot it counts from.
 * @param {number} pid
 */
function startOnLinux(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const [state, ...rest] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (state === "Z" || state === "X") return null;
    return `${rest[18]} ${readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim()}`;
  } catch {
    return null;
  }
}

/** @param {number} pid */
function startByPs(pid) {
  try {
    const line = execFileSync("ps", ["-o", "stat=,lstart=", "-p", String(pid)], { encoding: "utf8" }).trim();
    const [state = "Z", ...started] = line.split(/\s+/);
    return state.startsWith("Z") ? null : started.join(" ");
  } catch {
    return null;
  }
}
