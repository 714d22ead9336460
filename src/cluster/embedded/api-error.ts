/** Refusals of the API, as its `Status` objects spell them (Kubernetes API conventions, "Response status kind"). */

import type { ResourceType } from "./resources.ts";
import type { Json } from "./types.ts";

/** One field's part in a refusal. */
export interface StatusCause {
  /** `FieldValueRequired`, `FieldValueInvalid`, `FieldValueForbidden`, `FieldManagerConflict`, … */
  readonly reason: string;
  readonly message: string;
  readonly field: string;
}

interface Details {
  readonly name?: string | undefined;
  readonly group?: string | undefined;
  readonly kind?: string | undefined;
  readonly uid?: string | undefined;
  readonly causes?: readonly StatusCause[] | undefined;
  readonly retryAfterSeconds?: number | undefined;
}

/** A refused request. `code` is `Status.reason`. */
export class ApiError extends Error {
  readonly code: string;
  readonly httpStatus: number;
  readonly details: Details | undefined;

  constructor(httpStatus: number, reason: string, message: string, details?: Details) {
    super(message);
    this.name = "ApiError";
    this.httpStatus = httpStatus;
    this.code = reason;
    this.details = details;
  }

  /** The `v1` Status that the client sees. */
  toStatus(): Json {
    return {
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message: this.message,
      reason: this.code,
      ...(this.details === undefined ? {} : { details: JSON.parse(JSON.stringify(this.details)) as Json }),
      code: this.httpStatus,
    };
  }
}

type Named = Pick<ResourceType, "group" | "plural" | "kind">;

function qualified(r: Named): string {
  return r.group === "" ? r.plural : `${r.plural}.${r.group}`;
}

function about(r: Named, name: string): Details {
  return { name, kind: r.plural, ...(r.group === "" ? {} : { group: r.group }) };
}

/** 404 for one object. */
export function notFound(r: Named, name: string): ApiError {
  return new ApiError(404, "NotFound", `${qualified(r)} "${name}" not found`, about(r, name));
}

/** 404 for a path that nothing serves. */
export function noSuchPath(): ApiError {
  return new ApiError(404, "NotFound", "the server could not find the requested resource", {});
}

/** 409: the name is taken. */
export function alreadyExists(r: Named, name: string): ApiError {
  return new ApiError(409, "AlreadyExists", `${qualified(r)} "${name}" already exists`, about(r, name));
}

/** 409: the object is not what the writer thought it was. */
export function conflict(r: Named, name: string, why: string, causes?: readonly StatusCause[]): ApiError {
  const message = `Operation cannot be fulfilled on ${qualified(r)} "${name}": ${why}`;
  return new ApiError(409, "Conflict", message, { ...about(r, name), causes });
}

/** 409 for an outdated `metadata.resourceVersion`. */
export function modified(r: Named, name: string): ApiError {
  return conflict(
    r,
    name,
    "the object has been modified; please apply your changes to the latest version and try again",
  );
}

/** 422 with every cause. */
export function invalid(r: Named, name: string, causes: readonly StatusCause[]): ApiError {
  const lines = causes.map((c) => `${c.field}: ${c.message}`);
  const text = lines.length === 1 ? lines[0] : `[${lines.join(", ")}]`;
  const kind = r.group === "" ? r.kind : `${r.kind}.${r.group}`;
  return new ApiError(422, "Invalid", `${kind} "${name}" is invalid: ${text}`, {
    ...about(r, name),
    kind: r.kind,
    causes,
  });
}

/** 400. */
export function badRequest(message: string): ApiError {
  return new ApiError(400, "BadRequest", message);
}

/** 403 for one object. */
export function forbidden(r: Named, name: string, why: string, causes?: readonly StatusCause[]): ApiError {
  const subject = name === "" ? qualified(r) : `${qualified(r)} "${name}"`;
  return new ApiError(403, "Forbidden", `${subject} is forbidden: ${why}`, { ...about(r, name), causes });
}

/** 410: the history no longer reaches back to the resource version, or a continue token is too old. */
export function expired(message: string): ApiError {
  return new ApiError(410, "Expired", message);
}

/** 405. */
export function methodNotAllowed(): ApiError {
  return new ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {});
}

/** A cause for a value that must be there. */
export function required(field: string, detail = ""): StatusCause {
  return { reason: "FieldValueRequired", field, message: `Required value${detail === "" ? "" : `: ${detail}`}` };
}

/** A cause for a wrong value. */
export function invalidValue(field: string, value: unknown, detail: string): StatusCause {
  return { reason: "FieldValueInvalid", field, message: `Invalid value: ${quote(value)}: ${detail}` };
}

/** A cause for a value out of a fixed set. */
export function unsupportedValue(field: string, value: unknown, allowed: readonly string[]): StatusCause {
  const list = allowed.map((a) => JSON.stringify(a)).join(", ");
  return {
    reason: "FieldValueNotSupported",
    field,
    message: `Unsupported value: ${quote(value)}: supported values: ${list}`,
  };
}

/** A cause for what stands in a list twice. */
export function duplicateValue(field: string, value: unknown): StatusCause {
  return { reason: "FieldValueDuplicate", field, message: `Duplicate value: ${JSON.stringify(value)}` };
}

/** A cause for a change that is not allowed. */
export function forbiddenValue(field: string, detail: string): StatusCause {
  return { reason: "FieldValueForbidden", field, message: `Forbidden: ${detail}` };
}

function quote(value: unknown): string {
  const text = JSON.stringify(value) ?? "null";
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
