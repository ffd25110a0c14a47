import type { App } from "../app.js";
import type { Context } from "./context.js";
import { EXIT } from "./exit-codes.js";

/**
 * Who is told twice to stop does not wait for a Redis that is away. Nothing is torn by that: a process may be killed at any
 * moment, and whoever goes on counts its calls as uncertain.
 */
export function leaveWithoutRedis(app: App, { stop, terminal }: Pick<Context, "stop" | "terminal">): void {
  const leave = () => {
    if (!app.redisHealth.isAway()) return;
    terminal.message("Redis is away: ending without it; run it again to go on");
    process.exit(EXIT.interrupted);
  };
  stop.hard.addEventListener("abort", leave, { once: true });
}
