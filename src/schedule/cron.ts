import { Cron } from "croner";
import { UsageError } from "../domain/errors.js";
import type { DueTimes } from "../domain/schedule.js";
import { isTimeZone } from "../domain/window.js";

/**
 * When a cron expression is due, by the wall clock of a time zone. A time that the clock skips when it is put forward is due
 * at the first moment after; one that it shows twice when it is put back is due the first time only.
 * @param expression five fields, or six with seconds in front; names and `@daily` as cron has them
 * @throws UsageError for an expression or a zone that there is not, and for one that is never due
 */
export function dueTimes(expression: string, tz: string): DueTimes {
  if (!isTimeZone(tz)) throw new UsageError(`--tz ${tz}: there is no such time zone; name one such as Asia/Shanghai`);
  const cron = parse(expression, tz);
  const times: DueTimes = {
    next: (afterMs) => cron.nextRun(new Date(afterMs))?.getTime() ?? null,
    last: (untilMs) => {
      // The library looks before a moment, by whole seconds.
      const afterMs = (Math.floor(untilMs / 1000) + 1) * 1000;
      return cron.previousRuns(1, new Date(afterMs))[0]?.getTime() ?? null;
    },
  };
  if (times.next(Date.UTC(2026, 0)) === null) throw new UsageError(`--cron "${expression}": such a time never comes`);
  return times;
}

function parse(expression: string, timezone: string): Cron {
  try {
    // Day of month and day of week both given: either, as cron has always had it.
    return new Cron(expression, { timezone, paused: true, mode: "5-or-6-parts" });
  } catch {
    throw new UsageError(
      `--cron "${expression}": takes minute, hour, day of month, month and day of week, such as "0 2 * * *"`,
    );
  }
}
