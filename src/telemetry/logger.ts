import { type Logger, pino } from "pino";
import { prettyFactory } from "pino-pretty";
import { CardbatchError, ProviderError } from "../domain/errors.js";
import type { CardbatchEvent } from "../domain/events.js";
import type { PaceChange } from "../domain/pace.js";

export type { Logger };

export interface LoggerOptions {
  readonly level: string;
  /** Takes one line, its end included. */
  readonly write: (line: string) => void;
  /** For people instead of programs. */
  readonly pretty: boolean;
  readonly color: boolean;
  /** The last thing that happens to a line: takes card numbers out of it. */
  readonly scrub: (line: string) => { line: string; hits: number };
  readonly onScrubbed: (hits: number) => void;
}

/** JSON lines, or readable ones on a terminal; either way scrubbed as the finished line. */
export function createLogger(options: LoggerOptions): Logger {
  const prettify = prettyFactory({ colorize: options.color, ignore: "pid,hostname", translateTime: "SYS:HH:MM:ss" });
  const write = (text: string) => {
    const { line, hits } = options.scrub(text);
    if (hits > 0) options.onScrubbed(hits);
    options.write(options.pretty ? prettify(line) : line);
  };
  const safeError = (error: unknown) => describeError(error);
  return pino({ level: options.level, base: { pid: process.pid }, serializers: { err: safeError } }, { write });
}

/** Class, code and the details that are safe; of an unknown error the stack too, which the scrubber then looks at. */
function describeError(error: unknown): object {
  if (error instanceof CardbatchError) {
    const { name: type, code, message, details } = error;
    return { ...details, ...vendorFacts(error), type, code, message, cause: causeOf(error) };
  }
  if (error instanceof Error) return { type: error.name, message: error.message, stack: error.stack };
  return { type: typeof error };
}

/** What the vendor's support asks for. */
function vendorFacts(error: CardbatchError): object {
  if (!(error instanceof ProviderError)) return {};
  const { vendorCode, httpStatus, requestId } = error;
  return { vendorCode, httpStatus, requestId };
}

function causeOf(error: Error): object | undefined {
  return error.cause instanceof Error
    ? { type: error.cause.name, message: error.cause.message, stack: error.cause.stack }
    : undefined;
}

/** Writes what happens to the log: trouble where people look, each image only for those who ask. */
export function logEvent(logger: Logger, event: CardbatchEvent): void {
  switch (event.type) {
    case "called":
      logger.debug({ ...withoutType(event), durationMs: Math.round(event.durationMs) }, "call");
      break;
    case "pace-changed":
      logPaceChange(logger, event.provider, event.change);
      break;
    case "provider-stopped":
      logger.error(
        { provider: event.provider, err: event.error },
        `stopped calling ${event.provider}: ${event.error.hint}`,
      );
      break;
    case "put-back":
      logger.debug(withoutType(event), "put back");
      break;
    case "finished": {
      const { request, batch, outcome, reasons, code, calls, attempts, provider } = event.record;
      const facts = { request, batch, outcome, reasons, code, calls, attempts, provider: provider?.name };
      logger.debug({ ...facts, durationMs: Math.round(event.durationMs) }, "finished");
      break;
    }
    case "sink-failed":
      logger.error({ sink: event.sink, err: event.error }, `outcomes wait: ${event.error.hint}`);
      break;
    case "schedule-ended": {
      const { schedule, result, reason, opened, unchanged, calls } = event;
      logger[result === "failed" ? "error" : "info"](
        { schedule, reason, opened, unchanged, calls },
        `schedule ${schedule}: ${result}`,
      );
      break;
    }
    case "schedule-refused":
      logger.warn({ schedule: event.schedule }, "a due run was refused: the one before is still going on");
      break;
    case "fault":
      logger.warn({ where: event.where, err: event.error }, "fault");
      break;
    case "step":
      break;
    case "enqueued":
    case "job-started":
    case "turn-taken":
    case "recorded":
    case "served":
    case "webhook-sent":
    case "followed":
      logger.trace(roundedFigures(withoutType(event)), event.type);
  }
}

function withoutType<E extends { type: string }>({ type: _type, ...facts }: E): Omit<E, "type"> {
  return facts;
}

/** A fraction's endless digits are no use to anybody, and can look like a card number. */
function roundedFigures(facts: object): object {
  const entries = Object.entries(facts).map(([key, value]) => [
    key,
    typeof value === "number" ? Math.round(value) : value,
  ]);
  return Object.fromEntries(entries);
}

function logPaceChange(logger: Logger, provider: string, change: NonNullable<PaceChange>): void {
  switch (change.kind) {
    case "lowered":
      logger.debug({ provider, ...change }, "the vendor asked for a slower pace");
      break;
    case "breaker-opened":
      logger.warn(
        { provider, ...change },
        `${provider} answers nobody (${change.code}); one call at a time looks whether it is back`,
      );
      break;
    case "breaker-closed":
      logger.info({ provider, ...change }, `${provider} answers again`);
      break;
  }
}
