import { once } from "node:events";
import type { Place, Running } from "./cli.js";

export interface RunningServer {
  readonly url: string;
  readonly running: Running;
}

/** `cardbatch serve`, once it listens. */
export async function startServe(
  place: Place,
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<RunningServer> {
  const running = place.start(["serve", ...args], env);
  const listening = once(running.child.stdout as NodeJS.ReadableStream, "data") as Promise<[string]>;
  const ended = running.done.then(({ stderr }) => Promise.reject(new Error(`serve ended: ${stderr}`)));
  const [chunk] = await Promise.race([listening, ended]);
  // From here on its end is somebody else's to wait for.
  ended.catch(() => {});
  const { listening: url } = JSON.parse(chunk.split("\n")[0] ?? "") as { listening: string };
  return { url, running };
}
