/** The verbs on resources: get, list, watch, create, update, patch, apply, delete, deletecollection. */

import { ApiError, badRequest, forbiddenValue, invalid, methodNotAllowed, noSuchPath, required } from "./api-error.ts";
import type { Exchange } from "./context.ts";
import { readDeleteOptions } from "./delete-options.ts";
import type { Fields } from "./fields.ts";
import { handleSubresource } from "./handle-subresource.ts";
import { objectText, sendJson, sendText, writeChunks } from "./http-answer.ts";
import {
  type Accepted,
  contentType,
  decodeBody,
  negotiate,
  queryFlag,
  queryInteger,
  type ResourcePath,
  readBody,
  readObjectBody,
} from "./http-request.ts";
import { checkListOptions, checkListRevision, initialEvents } from "./list-options.ts";
import { mergeSchemaOf } from "./merge-schema.ts";
import { selectionMatcher } from "./objects.ts";
import { type DeleteOptions, inVersion, type WriteOptions } from "./operation-types.ts";
import { jsonPatch } from "./patch-json.ts";
import { mergePatch } from "./patch-merge.ts";
import { strategicMerge } from "./patch-strategic.ts";
import { apiVersionOf, type ResourceType } from "./resources.ts";
import { type IncludeObject, tableOf } from "./table.ts";
import type { KubeObject } from "./types.ts";
import { serveWatch } from "./watch-stream.ts";
import { writeOptions } from "./write-options.ts";

/** What objects are to who asks for their metadata alone. */
const PARTIAL = { group: "meta.k8s.io", version: "v1", kind: "PartialObjectMetadata" };

function includeObject(query: URLSearchParams): IncludeObject {
  const wanted = query.get("includeObject");
  return wanted === "None" || wanted === "Object" ? wanted : "Metadata";
}

/** Text of one object in the form that the client accepts. */
function renderObject(r: ResourceType, accepted: Accepted, query: URLSearchParams, object: KubeObject): string {
  if (accepted.as === "Table")
    return JSON.stringify(
      tableOf(r, [object], includeObject(query), { resourceVersion: object.metadata.resourceVersion }),
    );
  if (accepted.as === "object") return objectText(object);
  return JSON.stringify({ kind: PARTIAL.kind, apiVersion: apiVersionOf(PARTIAL), metadata: object.metadata });
}

/** Sends one object in the form that the client accepts. */
function sendObject(x: Exchange, r: ResourceType, status: number, object: KubeObject): void {
  sendText(x.res, status, "application/json", renderObject(r, negotiate(x.req.headers.accept), x.query, object));
}

function listMetadata(revision: number, next: string | undefined, remaining: number, isFiltered: boolean): Fields {
  return {
    resourceVersion: String(revision),
    ...(next === undefined ? {} : { continue: next }),
    ...(next === undefined || isFiltered ? {} : { remainingItemCount: remaining }),
  };
}

async function list(
  x: Exchange,
  r: ResourceType,
  namespace: string | undefined,
  name: string | undefined,
): Promise<void> {
  const { query, server, req, res } = x;
  const accepted = negotiate(req.headers.accept);
  const labelSelector = query.get("labelSelector") ?? undefined;
  const byName = name === undefined ? undefined : `metadata.name=${name}`;
  const fieldSelector = [byName, query.get("fieldSelector") || undefined].filter((s) => s !== undefined).join(",");
  const matches = selectionMatcher(r, namespace, labelSelector, fieldSelector);
  const isWatch = queryFlag(query, "watch");
  checkListOptions(query, isWatch);
  if (isWatch) {
    serveWatch(
      server.storage,
      res,
      {
        type: r,
        matches,
        resourceVersion: query.get("resourceVersion") ?? "",
        timeoutSeconds: queryInteger(query, "timeoutSeconds"),
        hasBookmarks: queryFlag(query, "allowWatchBookmarks"),
        initialEvents: initialEvents(query),
        bookmarkAs: accepted.as === "object" || accepted.as === "Table" ? r : PARTIAL,
        render: (object) => renderObject(r, accepted, query, object),
      },
      server.watches,
    );
    return;
  }
  checkListRevision(query, server.storage, r.storage);
  const page = server.pager.page(r.storage, matches, queryInteger(query, "limit"), query.get("continue") ?? undefined);
  const metadata = listMetadata(page.revision, page.next, page.remaining, Boolean(labelSelector || fieldSelector));
  const objects = page.objects.map((o) => inVersion(r, o));
  if (accepted.as === "Table") {
    sendJson(res, 200, tableOf(r, objects, includeObject(query), metadata));
    return;
  }
  const isPartial = accepted.as !== "object";
  const head = isPartial
    ? { kind: "PartialObjectMetadataList", apiVersion: "meta.k8s.io/v1", metadata }
    : { kind: r.listKind, apiVersion: apiVersionOf(r), metadata };
  res.writeHead(200, { "content-type": "application/json", "cache-control": "no-cache, private" });
  await writeChunks(
    res,
    listChunks(head, objects, (o) => renderObject(r, accepted, query, o)),
  );
}

function* listChunks(
  head: Fields,
  objects: readonly KubeObject[],
  render: (o: KubeObject) => string,
): Generator<string> {
  yield `${JSON.stringify(head).slice(0, -1)},"items":[`;
  let separator = "";
  for (const object of objects) {
    yield separator + render(object);
    separator = ",";
  }
  yield "]}\n";
}

async function deleteOptions(x: Exchange): Promise<DeleteOptions> {
  return readDeleteOptions(await readObjectBody(x.req), x.query);
}

async function deleteOne(x: Exchange, r: ResourceType, namespace: string | undefined, name: string): Promise<void> {
  const { object, isGone } = x.server.operations.delete(r, namespace, name, await deleteOptions(x));
  if (!isGone) {
    sendObject(x, r, 200, object);
    return;
  }
  const group = r.group === "" ? {} : { group: r.group };
  const details = { name, ...group, kind: r.plural, uid: object.metadata.uid };
  sendJson(x.res, 200, { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", details });
}

async function deleteCollection(x: Exchange, r: ResourceType, namespace: string | undefined): Promise<void> {
  const options = await deleteOptions(x);
  const matches = selectionMatcher(
    r,
    namespace,
    x.query.get("labelSelector") ?? undefined,
    x.query.get("fieldSelector") ?? undefined,
  );
  const page = x.server.pager.page(r.storage, matches, undefined, undefined);
  for (const o of page.objects) {
    const { uid } = o.metadata;
    x.server.operations.delete(r, o.metadata.namespace, o.metadata.name, { ...options, uid });
  }
  const metadata = { resourceVersion: String(page.revision) };
  sendJson(x.res, 200, { kind: r.listKind, apiVersion: apiVersionOf(r), metadata, items: page.objects });
}

/** What a refused query is called. */
const PATCH_OPTIONS = { group: "meta.k8s.io", plural: "patchoptions", kind: "PatchOptions" };

function patcher(type: string, r: ResourceType): (target: unknown, patch: unknown) => unknown {
  if (type === "application/json-patch+json") return jsonPatch;
  if (type === "application/merge-patch+json") return mergePatch;
  if (type === "application/strategic-merge-patch+json" && r.custom === undefined)
    return (target, patch) => strategicMerge(target, patch, mergeSchemaOf(r));
  const allowed = ["application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml"];
  throw new ApiError(
    415,
    "UnsupportedMediaType",
    `the body of the request was in an unknown format - accepted media types include: ${allowed.join(", ")}`,
  );
}

async function patch(
  x: Exchange,
  r: ResourceType,
  namespace: string | undefined,
  name: string,
  subresource: WriteOptions["subresource"],
): Promise<void> {
  const type = contentType(x.req);
  const options = { ...writeOptions(x, subresource), isPatch: true };
  const body = await readBody(x.req);
  if (type === "application/apply-patch+yaml") {
    if (!x.query.get("fieldManager"))
      throw invalid(PATCH_OPTIONS, "", [required("fieldManager", "is required for apply patch")]);
    const config = decodeBody(body, type);
    const force = queryFlag(x.query, "force");
    const { object, isNew } = x.server.operations.apply(r, namespace, name, config, { ...options, force });
    sendObject(x, r, isNew ? 201 : 200, object);
    return;
  }
  if (x.query.has("force"))
    throw invalid(PATCH_OPTIONS, "", [forbiddenValue("force", "may not be specified for non-apply patch")]);
  const apply = patcher(type, r);
  const change = decodeBody(body, "application/json");
  sendObject(
    x,
    r,
    200,
    x.server.operations.update(r, namespace, name, (o) => apply(o, change), options),
  );
}

async function handleObject(x: Exchange, r: ResourceType, namespace: string | undefined, name: string): Promise<void> {
  const { server, req } = x;
  switch (req.method) {
    case "GET":
      // The old way to watch one object.
      if (queryFlag(x.query, "watch")) return list(x, r, namespace, name);
      return sendObject(x, r, 200, server.operations.get(r, namespace, name));
    case "PUT": {
      const body = await readObjectBody(req);
      return sendObject(
        x,
        r,
        200,
        server.operations.update(r, namespace, name, () => body, writeOptions(x, "")),
      );
    }
    case "PATCH":
      return patch(x, r, namespace, name, "");
    case "DELETE":
      return deleteOne(x, r, namespace, name);
    default:
      throw methodNotAllowed();
  }
}

async function handleCollection(x: Exchange, r: ResourceType, namespace: string | undefined): Promise<void> {
  switch (x.req.method) {
    case "GET":
      return list(x, r, namespace, undefined);
    case "POST": {
      if (r.isNamespaced && namespace === undefined) throw badRequest(`metadata.namespace is required for ${r.plural}`);
      const body = await readObjectBody(x.req);
      return sendObject(x, r, 201, x.server.operations.create(r, namespace, body, writeOptions(x, "")));
    }
    case "DELETE":
      return deleteCollection(x, r, namespace);
    default:
      throw methodNotAllowed();
  }
}

async function handleStatus(
  x: Exchange,
  r: ResourceType,
  namespace: string | undefined,
  name: string,
  subresource: "status" | "finalize",
): Promise<void> {
  if (x.req.method === "GET") return sendObject(x, r, 200, x.server.operations.get(r, namespace, name));
  if (x.req.method === "PATCH") return patch(x, r, namespace, name, subresource);
  if (x.req.method !== "PUT") throw methodNotAllowed();
  const body = await readObjectBody(x.req);
  return sendObject(
    x,
    r,
    200,
    x.server.operations.update(r, namespace, name, () => body, writeOptions(x, subresource)),
  );
}

/** Serves a request to a resource. */
export async function handleResource(x: Exchange, path: ResourcePath): Promise<void> {
  const r = x.server.registry.byPlural(path.group, path.version, path.plural);
  if (r === undefined || (path.namespace !== undefined && !r.isNamespaced)) throw noSuchPath();
  const { namespace, name, subresource } = path;
  if (name === undefined) return handleCollection(x, r, namespace);
  if (r.isNamespaced && namespace === undefined) throw noSuchPath();
  if (subresource === undefined) return handleObject(x, r, namespace, name);
  if (![...r.subresources].includes(subresource as never)) throw noSuchPath();
  if (subresource === "status" || subresource === "finalize") return handleStatus(x, r, namespace, name, subresource);
  return handleSubresource(x, r, { namespace, name, subresource });
}
