/** Which state a list or a watch asks for: `resourceVersion`, `resourceVersionMatch`, `sendInitialEvents` (KEP-2340, KEP-3157). */

import {
  ApiError,
  badRequest,
  expired,
  forbiddenValue,
  invalid,
  type StatusCause,
  unsupportedValue,
} from "./api-error.ts";
import { queryFlag } from "./http-request.ts";
import type { Storage } from "./storage.ts";

const LIST_OPTIONS = { group: "meta.k8s.io", plural: "listoptions", kind: "ListOptions" };
const MATCH = "resourceVersionMatch";
const MATCHES = ["Exact", "NotOlderThan"];

function watchCauses(query: URLSearchParams): StatusCause[] {
  const match = query.get(MATCH);
  if (!query.has("sendInitialEvents"))
    return match ? [forbiddenValue(MATCH, `${MATCH} is forbidden for watch unless sendInitialEvents is provided`)] : [];
  if (!match) return [forbiddenValue(MATCH, `sendInitialEvents requires setting ${MATCH} to NotOlderThan`)];
  return match === "NotOlderThan" ? [] : [unsupportedValue(MATCH, match, ["NotOlderThan"])];
}

function listCauses(query: URLSearchParams): StatusCause[] {
  const match = query.get(MATCH);
  const revision = query.get("resourceVersion");
  const out: StatusCause[] = [];
  if (query.has("sendInitialEvents"))
    out.push(forbiddenValue("sendInitialEvents", "sendInitialEvents is forbidden for list"));
  if (!match) return out;
  if (!revision) out.push(forbiddenValue(MATCH, `${MATCH} is forbidden unless resourceVersion is provided`));
  if (query.get("continue")) out.push(forbiddenValue(MATCH, `${MATCH} is forbidden when continue is provided`));
  if (!MATCHES.includes(match)) out.push(unsupportedValue(MATCH, match, MATCHES));
  if (match === "Exact" && revision === "0")
    out.push(forbiddenValue(MATCH, `${MATCH} "Exact" is forbidden for resourceVersion "0"`));
  return out;
}

/** A client that has seen a later state than this server has; it lists anew then. */
function tooLarge(wanted: number, now: number): ApiError {
  const cause = { reason: "ResourceVersionTooLarge", message: "Too large resource version", field: "" };
  return new ApiError(504, "Timeout", `Too large resource version: ${wanted}, current: ${now}`, {
    causes: [cause],
    retryAfterSeconds: 1,
  });
}

/** @throws ApiError 422 for parameters that exclude each other */
export function checkListOptions(query: URLSearchParams, isWatch: boolean): void {
  const causes = isWatch ? watchCauses(query) : listCauses(query);
  if (causes.length > 0) throw invalid(LIST_OPTIONS, "", causes);
}

/** @throws ApiError 400, 410 and 504 for a revision that a list of now cannot have */
export function checkListRevision(query: URLSearchParams, storage: Storage, name: string): void {
  const text = query.get("resourceVersion") ?? "";
  if (text === "" || text === "0") return;
  if (!/^\d{1,16}$/.test(text)) throw badRequest(`Invalid value: ${JSON.stringify(text)}: must be a number`);
  if (query.get("continue")) throw badRequest("specifying resource version is not allowed when using continue");
  const [wanted, now] = [Number(text), storage.revision()];
  if (wanted > now) throw tooLarge(wanted, now);
  // What was then is known only while it is what there is.
  if (query.get(MATCH) === "Exact" && storage.eventsSince(name, wanted)?.length !== 0)
    throw expired(`The resourceVersion for the provided list is too old: ${wanted} (${now})`);
}

/** What a watch begins with: what there is, nothing, or (undefined) what its revision says. */
export function initialEvents(query: URLSearchParams): boolean | undefined {
  return query.has("sendInitialEvents") ? queryFlag(query, "sendInitialEvents") : undefined;
}
