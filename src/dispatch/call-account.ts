import type { Answer } from "../domain/answer.js";
import { CancelledError, ProviderError, toCardbatchError } from "../domain/errors.js";
import type { CardbatchEvent } from "../domain/events.js";
import type { CallAccount } from "../domain/ledger.js";
import type { OcrProvider } from "../domain/provider.js";

/** What a call brought: its answer, or what was thrown instead. */
export type CallEnd = { readonly answer: Answer } | { readonly error: unknown };

/** Waits for a call to end, however it does. */
export function endOf(call: Promise<Answer>): Promise<CallEnd> {
  return call.then(
    (answer) => ({ answer }),
    (error: unknown) => ({ error }),
  );
}

/** What a call came to. One that was aborted, or broken by a fault of ours, may have reached the vendor unless we know better. */
export function accountOf(batch: string, { name }: OcrProvider, end: CallEnd): CallAccount {
  const account = { batch, provider: name, answered: false, billable: false, uncertain: false, notSent: false };
  if ("answer" in end) return { ...account, answered: true, billable: end.answer.billable };
  const { error } = end;
  if (error instanceof ProviderError) {
    const { billable, uncertain, notSent } = error;
    return { ...account, billable, uncertain, notSent };
  }
  const notSent = error instanceof CancelledError && !error.uncertain;
  return { ...account, uncertain: !notSent, notSent };
}

/** What is told of a call that went out. */
export function calledEvent(
  account: CallAccount,
  durationMs: number,
  end: CallEnd,
): Extract<CardbatchEvent, { type: "called" }> {
  const { provider, billable, uncertain } = account;
  const common = { type: "called", provider, durationMs, billable, uncertain } as const;
  if ("answer" in end) {
    const { cards, requestId } = end.answer;
    return { ...common, result: cards.length === 0 ? "no-card" : "ok", httpStatus: null, vendorCode: null, requestId };
  }
  const error = toCardbatchError(end.error);
  const { httpStatus = null, vendorCode = null, requestId = null } = error instanceof ProviderError ? error : {};
  return { ...common, result: error.code, httpStatus, vendorCode, requestId };
}
