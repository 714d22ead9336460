/** How an object is to be deleted: the body of a deletion or an eviction, and the query. */

import { badRequest, invalid, invalidValue, type StatusCause, unsupportedValue } from "./api-error.ts";
import { type Fields, isFields } from "./fields.ts";
import { queryInteger } from "./http-request.ts";
import type { DeleteOptions } from "./operation-types.ts";

const NAMED = { group: "meta.k8s.io", plural: "deleteoptions", kind: "DeleteOptions" };
const POLICIES = ["Background", "Foreground", "Orphan"] as const;

function checkTypes(given: Fields): void {
  const { gracePeriodSeconds: grace, orphanDependents: orphan, preconditions } = given;
  if (grace !== undefined && grace !== null && !Number.isInteger(grace))
    throw badRequest(`DeleteOptions.gracePeriodSeconds: ${JSON.stringify(grace)} is not a whole number`);
  if (orphan !== undefined && orphan !== null && typeof orphan !== "boolean")
    throw badRequest(`DeleteOptions.orphanDependents: ${JSON.stringify(orphan)} is neither true nor false`);
  if (preconditions !== undefined && preconditions !== null && !isFields(preconditions))
    throw badRequest(`DeleteOptions.preconditions: ${JSON.stringify(preconditions)} is not an object`);
}

/** @throws ApiError 400 for fields of a wrong type, 422 for what no deletion can do */
export function readDeleteOptions(body: unknown, query: URLSearchParams): DeleteOptions {
  const given: Fields = isFields(body) ? body : {};
  checkTypes(given);
  const policy: unknown = given["propagationPolicy"] ?? query.get("propagationPolicy") ?? undefined;
  const orphan: unknown = given["orphanDependents"] ?? undefined;
  const grace = given["gracePeriodSeconds"] ?? queryInteger(query, "gracePeriodSeconds");
  const dry: unknown = given["dryRun"] ?? query.getAll("dryRun");
  const dryRun: readonly unknown[] = Array.isArray(dry) ? dry : [dry];
  const causes: StatusCause[] = dryRun.filter((d) => d !== "All").map((d) => unsupportedValue("dryRun", d, ["All"]));
  const known = POLICIES.find((p) => p === policy);
  if (policy !== undefined && known === undefined)
    causes.push(unsupportedValue("propagationPolicy", policy, [...POLICIES]));
  if (policy !== undefined && orphan !== undefined)
    causes.push(
      invalidValue("propagationPolicy", policy, "orphanDependents and deletionPropagation cannot be both set"),
    );
  if (causes.length > 0) throw invalid(NAMED, "", causes);
  return {
    graceSeconds: typeof grace === "number" && grace >= 0 ? grace : undefined,
    propagation: orphan === true ? "Orphan" : (known ?? "Background"),
    uid: given["preconditions"]?.uid,
    resourceVersion: given["preconditions"]?.resourceVersion,
    dryRun: dryRun.length > 0,
  };
}
