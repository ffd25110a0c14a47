import { CardbatchError } from "../domain/errors.js";

/** Why the ledger lets nobody call for a page, when it is claimed or when its call is about to go out. */
export function inWork(): CardbatchError {
  return new CardbatchError("image-in-work", "the page is being read for another request");
}

export function budgetSpent(): CardbatchError {
  return new CardbatchError("budget-spent", "the batch has no call left in its --max-calls or --budget");
}
