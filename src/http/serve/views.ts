import type { RequestView } from "../../domain/http-bodies.js";
import type { RequestState } from "../../domain/received.js";

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
