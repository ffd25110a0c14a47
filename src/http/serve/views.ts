import type { RequestState } from "../../domain/received.js";
import type { RequestView } from "./schemas.js";

/** A request as its asker sees it. */
export function viewRequest({ request, batch, ref, page, receivedAt, outcome }: RequestState): RequestView {
  return {
    request,
    batch,
    ref,
    page,
    status: outcome === null ? "pending" : "done",
    receivedAt,
    url: `/v1/requests/${request}`,
    outcome,
  };
}
