/** What a request asks for, read from its path, query and headers. */

import type { IncomingMessage } from "node:http";
import { parse as parseYaml } from "yaml";
import { ApiError, badRequest } from "./api-error.ts";
import { decodeProtobuf } from "./protobuf.ts";

const PROTOBUF = "application/vnd.kubernetes.protobuf";

/** Largest accepted body, bytes: etcd's own limit is in this region. */
const MAX_BODY_BYTES = 3 * 1024 * 1024;

/** A path to a resource, or below one object. */
export interface ResourcePath {
  readonly group: string;
  readonly version: string;
  readonly namespace: string | undefined;
  readonly plural: string;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
}

/** Splits a path of `/api/v1/…` or `/apis/GROUP/VERSION/…`; undefined when it is none or has no resource. */
export function parseResourcePath(pathname: string): ResourcePath | undefined {
  const parts = pathname.split("/").filter((p) => p !== "");
  let decoded: string[];
  try {
    decoded = parts.map(decodeURIComponent);
  } catch {
    return undefined;
  }
  const isCore = decoded[0] === "api";
  if (!isCore && decoded[0] !== "apis") return undefined;
  const [group, version] = isCore ? ["", decoded[1]] : [decoded[1], decoded[2]];
  const rest = decoded.slice(isCore ? 2 : 3);
  if (group === undefined || version === undefined || rest[0] === undefined) return undefined;
  // `/namespaces/NAME` and its own subresources are the namespace, everything longer lies in it.
  const isInside = rest[0] === "namespaces" && rest[2] !== undefined && !["status", "finalize"].includes(rest[2]);
  const [plural, name, subresource, ...more] = isInside ? rest.slice(2) : rest;
  if (plural === undefined || more.length > 0) return undefined;
  return { group, version, namespace: isInside ? rest[1] : undefined, plural, name, subresource };
}

/** Reads a whole body. @throws ApiError 413 */
export async function readBody(req: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  // Left undestroyed when it is too long: the refusal still has to go out on its socket.
  for await (const chunk of req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES)
      throw new ApiError(413, "RequestEntityTooLarge", `Request entity too large: limit is ${MAX_BODY_BYTES}`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The media type of the body, without parameters. */
export function contentType(req: IncomingMessage): string {
  return (req.headers["content-type"] ?? "application/json").split(";")[0]?.trim().toLowerCase() ?? "";
}

/** Reads a JSON or YAML body; undefined when it is empty. @throws ApiError 400, 413, 415 */
export async function readObjectBody(req: IncomingMessage): Promise<unknown> {
  const body = await readBody(req);
  if (body.length === 0) return undefined;
  return decodeBody(body, contentType(req));
}

/** Decodes a body by its media type. @throws ApiError 400, 415 */
export function decodeBody(body: Buffer, type: string): unknown {
  if (type === PROTOBUF) return decodeProtobuf(body);
  const isYaml = type === "application/yaml" || type.endsWith("+yaml");
  const isJson = type === "application/json" || type.endsWith("+json");
  if (!isYaml && !isJson)
    throw new ApiError(
      415,
      "UnsupportedMediaType",
      `the body of the request was in an unknown format - accepted media types include: application/json, application/yaml`,
    );
  const text = body.toString("utf8");
  try {
    // JSON is nearly YAML; its own parser is faster and stricter where the text is JSON.
    return isYaml && !text.trimStart().startsWith("{")
      ? parseYaml(text, { maxAliasCount: 100, logLevel: "error" })
      : JSON.parse(text);
  } catch (error) {
    throw badRequest(`error decoding the body: ${(error as Error).message}`);
  }
}

/** How the answer shall look. */
export interface Accepted {
  readonly as: "object" | "Table" | "PartialObjectMetadata" | "PartialObjectMetadataList";
}

const JSON_RANGES = ["application/json", "application/*", "*/*"];

function firstForm(accept: string, types: readonly string[]): Accepted | undefined {
  for (const range of accept.split(",")) {
    const [type = "", ...params] = range.split(";").map((p) => p.trim());
    if (!types.includes(type)) continue;
    const get = (key: string) => params.find((p) => p.startsWith(`${key}=`))?.slice(key.length + 1);
    const as = get("as");
    if (as === undefined) return { as: "object" };
    if (get("g") !== "meta.k8s.io" || get("v") !== "v1") continue;
    if (as === "Table" || as === "PartialObjectMetadata" || as === "PartialObjectMetadataList") return { as };
  }
  return undefined;
}

/**
 * Chooses the first form of `Accept` that is served. Who names protobuf alone gets JSON: client-go reads an answer by its own
 * type, and who speaks protobuf knows JSON. @throws ApiError 406
 */
export function negotiate(accept: string | undefined): Accepted {
  const given = accept ?? "*/*";
  const form = firstForm(given, JSON_RANGES) ?? firstForm(given, [PROTOBUF]);
  if (form !== undefined) return form;
  throw new ApiError(
    406,
    "NotAcceptable",
    "only the following media types are accepted: application/json, application/json;as=Table;v=v1;g=meta.k8s.io",
  );
}

/** A whole number of the query; undefined when absent. @throws ApiError 400 */
export function queryInteger(query: URLSearchParams, key: string): number | undefined {
  const text = query.get(key);
  if (text === null || text === "") return undefined;
  if (!/^\d{1,15}$/.test(text))
    throw badRequest(`invalid query parameter ${key}: ${JSON.stringify(text)} is not a number`);
  return Number(text);
}

/** A flag of the query: `true`, `1` or present without a value. */
export function queryFlag(query: URLSearchParams, key: string): boolean {
  const text = query.get(key);
  return text !== null && ["true", "1", "t", "T", "TRUE", ""].includes(text);
}
