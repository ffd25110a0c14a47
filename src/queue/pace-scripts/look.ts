import type { RedisScript } from "../redis.js";
import { STATE } from "./state.js";

/** The calls a second at present; changes nothing. KEYS: pace. */
export const LOOK: RedisScript = { name: "cardbatchPaceLook", keys: 1, lua: `${STATE} return tostring(rate())` };
