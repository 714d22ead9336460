/** How a write is done, from a request's query. */

import { badRequest, invalid, unsupportedValue } from "./api-error.ts";
import type { Exchange } from "./context.ts";
import { addWarning } from "./http-answer.ts";
import type { WriteOptions } from "./operation-types.ts";
import type { FieldValidation } from "./prepare.ts";

const VALIDATIONS: readonly FieldValidation[] = ["Ignore", "Warn", "Strict"];
const OPTIONS = { group: "meta.k8s.io", plural: "updateoptions", kind: "UpdateOptions" };

/** Longest name of a field manager. */
const MAX_MANAGER = 128;

/** @throws ApiError 400 for a parameter that the API does not have */
export function writeOptions(
  x: Exchange,
  subresource: WriteOptions["subresource"],
): WriteOptions & { readonly manager: string } {
  const { query, req, res } = x;
  const dryRun = query.get("dryRun");
  if (dryRun !== null && dryRun !== "All")
    throw badRequest(`invalid query parameter dryRun: ${JSON.stringify(dryRun)} is not "All"`);
  const wanted = query.get("fieldValidation") || "Warn";
  const validation = VALIDATIONS.find((v) => v === wanted);
  if (validation === undefined)
    throw invalid(OPTIONS, "", [unsupportedValue("fieldValidation", wanted, [...VALIDATIONS])]);
  const agent = (req.headers["user-agent"] ?? "unknown").split("/")[0] ?? "unknown";
  return {
    manager: (query.get("fieldManager") || agent).slice(0, MAX_MANAGER),
    dryRun: dryRun === "All",
    subresource,
    fieldValidation: validation,
    warn: (text) => addWarning(res, text),
  };
}
