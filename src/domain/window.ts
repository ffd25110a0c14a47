/**
 * The hours in which a batch may start work, by the wall clock of a time zone: it is open whenever that clock shows a time
 * from `from` up to, not including, `to`. So a clock that is put forward shortens the window and one that is put back
 * lengthens it, as the people who set it would read it off the wall.
 */
export interface CallWindow {
  /** Minute of the day, 0..1439. */
  readonly from: number;
  /** Minute of the day, 0..1440; before `from` it is of the next day. */
  readonly to: number;
  /** IANA name, such as `Asia/Shanghai`. */
  readonly tz: string;
}

const DAY_MINUTES = 24 * 60;
const MINUTE_MS = 60_000;
/** No clock is ever put forward or back by more. */
const LONGEST_SHIFT_MINUTES = 24 * 60;

/** `22:00-06:00` in a time zone; null when it is no window, or there is no such zone. */
export function parseWindow(text: string, tz: string): CallWindow | null {
  const [, from, to] = /^(\d\d?:\d\d)-(\d\d?:\d\d)$/.exec(text.trim()) ?? [];
  const window = { from: minuteOf(from), to: minuteOf(to), tz };
  if (Number.isNaN(window.from) || Number.isNaN(window.to)) return null;
  if (window.from === DAY_MINUTES || window.from === window.to || !isTimeZone(tz)) return null;
  return window;
}

export function isTimeZone(tz: string): boolean {
  try {
    wallClock(tz);
    return true;
  } catch {
    return false;
  }
}

/** The time zone of this process. */
export function localTimeZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** Whether work may start. Null: it always may. */
export function isOpen(window: CallWindow | null, nowMs: number): boolean {
  if (window === null) return true;
  const { from, to } = window;
  const minute = minuteAt(window.tz, nowMs);
  return from < to ? minute >= from && minute < to : minute >= from || minute < to;
}

/** When it opens next, to the minute; `nowMs` itself while it is open. @unit Unix time in ms */
export function opensAt(window: CallWindow | null, nowMs: number): number {
  if (window === null || isOpen(window, nowMs)) return nowMs;
  const thisMinute = Math.floor(nowMs / MINUTE_MS) * MINUTE_MS;
  const wait = (window.from - minuteAt(window.tz, nowMs) + DAY_MINUTES) % DAY_MINUTES;
  const unshifted = thisMinute + wait * MINUTE_MS;
  if (minuteAt(window.tz, unshifted) === window.from && !isShifted(window.tz, thisMinute, wait)) return unshifted;
  // The clock is put forward or back before then.
  const last = thisMinute + (DAY_MINUTES + LONGEST_SHIFT_MINUTES) * MINUTE_MS;
  for (let at = thisMinute + MINUTE_MS; at < last; at += MINUTE_MS) if (isOpen(window, at)) return at;
  return unshifted;
}

/** `22:00-06:00` */
export function windowText({ from, to }: CallWindow): string {
  return `${timeOfDay(from)}-${timeOfDay(to)}`;
}

/** `22:00` */
function timeOfDay(minute: number): string {
  return `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;
}

/** Whether the clock's distance from the present changes within so many minutes. */
function isShifted(tz: string, fromMs: number, minutes: number): boolean {
  const start = minuteAt(tz, fromMs);
  for (let at = 0; at <= minutes; at += 30) {
    if (minuteAt(tz, fromMs + at * MINUTE_MS) !== (start + at) % DAY_MINUTES) return true;
  }
  return false;
}

function minuteOf(text: string | undefined): number {
  const [hours = Number.NaN, minutes = Number.NaN] = (text ?? "").split(":").map(Number);
  const minute = hours * 60 + minutes;
  return minutes < 60 && minute <= DAY_MINUTES ? minute : Number.NaN;
}

function minuteAt(tz: string, atMs: number): number {
  const [hours = 0, minutes = 0] = wallClock(tz).format(atMs).split(":").map(Number);
  return hours * 60 + minutes;
}

/** Making one takes far longer than using it. */
const CLOCKS = new Map<string, Intl.DateTimeFormat>();

function wallClock(tz: string): Intl.DateTimeFormat {
  let clock = CLOCKS.get(tz);
  if (clock === undefined) {
    clock = new Intl.DateTimeFormat("en", { timeZone: tz, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
    CLOCKS.set(tz, clock);
  }
  return clock;
}
