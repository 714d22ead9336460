/** Subresources that are not parts of their object: scale, binding, eviction, token, log. */

import { ApiError, badRequest, invalid, invalidValue, methodNotAllowed, modified, noSuchPath } from "./api-error.ts";
import { serviceAccountUser } from "./authentication.ts";
import type { Exchange } from "./context.ts";
import { readDeleteOptions } from "./delete-options.ts";
import { type Fields, isFields } from "./fields.ts";
import { sendJson } from "./http-answer.ts";
import { contentType, readObjectBody } from "./http-request.ts";
import { jsonPathText } from "./json-path.ts";
import { formatLabelSelector } from "./label-selector.ts";
import { PLAIN_WRITE } from "./operation-types.ts";
import { jsonPatch } from "./patch-json.ts";
import { mergePatch } from "./patch-merge.ts";
import { serveLog } from "./pod-log.ts";
import type { ResourceType } from "./resources.ts";
import type { KubeObject } from "./types.ts";
import { writeOptions } from "./write-options.ts";

/** Which part of which object. */
export interface SubresourcePath {
  readonly namespace: string | undefined;
  readonly name: string;
  readonly subresource: string;
}

function pathOf(text: string): string[] {
  return text.replace(/^\./, "").split(".");
}

function setAt(value: unknown, path: readonly string[], leaf: unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined) return leaf;
  const object: Fields = isFields(value) ? value : {};
  return { ...object, [step]: setAt(object[step], rest, leaf) };
}

function scaleOf(r: ResourceType, o: KubeObject): Fields {
  const paths = r.custom?.scale ?? {
    specReplicas: ".spec.replicas",
    statusReplicas: ".status.replicas",
    selector: undefined,
  };
  const count = (path: string) => Number(jsonPathText(o, path) ?? 0);
  const selector =
    r.custom === undefined
      ? formatLabelSelector(o["spec"]?.selector ?? {})
      : paths.selector && jsonPathText(o, paths.selector);
  const { name, namespace, uid, resourceVersion, creationTimestamp } = o.metadata;
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: { replicas: count(paths.specReplicas) },
    status: { replicas: count(paths.statusReplicas), ...(selector ? { selector } : {}) },
  };
}

async function scale(x: Exchange, r: ResourceType, path: SubresourcePath): Promise<void> {
  const { operations } = x.server;
  const current = operations.get(r, path.namespace, path.name);
  if (x.req.method === "GET") return sendJson(x.res, 200, scaleOf(r, current));
  if (x.req.method !== "PUT" && x.req.method !== "PATCH") throw methodNotAllowed();
  const body = await readObjectBody(x.req);
  const change = contentType(x.req) === "application/json-patch+json" ? jsonPatch : mergePatch;
  const at = pathOf(r.custom?.scale?.specReplicas ?? ".spec.replicas");
  const next = operations.update(
    r,
    path.namespace,
    path.name,
    (o) => {
      const wanted = (x.req.method === "PUT" ? body : change(scaleOf(r, o), body)) as Fields | undefined;
      const replicas = wanted?.["spec"]?.replicas ?? 0;
      if (!Number.isInteger(replicas) || replicas < 0)
        throw badRequest("spec.replicas must be a whole number, 0 or more");
      const seen = wanted?.["metadata"]?.resourceVersion;
      if (seen && seen !== o.metadata.resourceVersion) throw modified(r, path.name);
      return setAt(o, at, replicas);
    },
    writeOptions(x, ""),
  );
  return sendJson(x.res, 200, scaleOf(r, next));
}

const SUCCESS = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 };

async function bind(x: Exchange, r: ResourceType, path: SubresourcePath): Promise<void> {
  const body = await readObjectBody(x.req);
  const node = isFields(body) ? body["target"]?.name : undefined;
  if (typeof node !== "string" || node === "") throw badRequest("target.name is required");
  const change = (o: KubeObject) => {
    if (o["spec"]?.nodeName)
      throw new ApiError(
        409,
        "Conflict",
        `Operation cannot be fulfilled on pods/binding "${path.name}": pod ${path.name} is already assigned to node "${o["spec"].nodeName}"`,
      );
    return { ...o, spec: { ...o["spec"], nodeName: node } };
  };
  x.server.operations.update(r, path.namespace, path.name, change, PLAIN_WRITE);
  sendJson(x.res, 201, SUCCESS);
}

async function evict(x: Exchange, r: ResourceType, path: SubresourcePath): Promise<void> {
  const body = await readObjectBody(x.req);
  const options = readDeleteOptions(isFields(body) ? body["deleteOptions"] : undefined, x.query);
  // Disruption budgets are stored but not enforced.
  x.server.operations.delete(r, path.namespace, path.name, options);
  sendJson(x.res, 201, SUCCESS);
}

const MIN_TOKEN_SECONDS = 600;
const MAX_TOKEN_SECONDS = 2 ** 32 - 1;
const TOKEN_REQUEST = { group: "authentication.k8s.io", plural: "tokenrequests", kind: "TokenRequest" };

async function issueToken(x: Exchange, r: ResourceType, path: SubresourcePath): Promise<void> {
  const { name } = x.server.operations.get(r, path.namespace, path.name).metadata;
  const body = await readObjectBody(x.req);
  const spec: Fields = isFields(body) ? (body["spec"] ?? {}) : {};
  const seconds: unknown = spec["expirationSeconds"] ?? 3600;
  if (typeof seconds !== "number" || seconds < MIN_TOKEN_SECONDS || seconds > MAX_TOKEN_SECONDS)
    throw invalid(TOKEN_REQUEST, "", [
      invalidValue(
        "spec.expirationSeconds",
        seconds,
        "may not specify a duration less than 10 minutes, nor of 2^32 seconds",
      ),
    ]);
  const token = x.server.tokens.issue(serviceAccountUser(path.namespace ?? "", name), seconds * 1000);
  const expirationTimestamp = new Date(Date.now() + seconds * 1000).toISOString();
  sendJson(x.res, 201, {
    kind: "TokenRequest",
    apiVersion: "authentication.k8s.io/v1",
    metadata: { name, namespace: path.namespace },
    spec: { ...spec, expirationSeconds: seconds },
    status: { token, expirationTimestamp },
  });
}

/** Serves a subresource that the kind has. */
export async function handleSubresource(x: Exchange, r: ResourceType, path: SubresourcePath): Promise<void> {
  const post = x.req.method === "POST";
  switch (path.subresource) {
    case "scale":
      return scale(x, r, path);
    case "log":
      if (x.req.method !== "GET") throw methodNotAllowed();
      return serveLog(x, r, path);
    case "binding":
      if (!post) throw methodNotAllowed();
      return bind(x, r, path);
    case "eviction":
      if (!post) throw methodNotAllowed();
      return evict(x, r, path);
    case "token":
      if (!post) throw methodNotAllowed();
      return issueToken(x, r, path);
    case "exec":
    case "attach":
      throw badRequest(
        `Upgrade request required: "${path.subresource}" speaks the WebSocket subprotocols v5.channel.k8s.io and v4.channel.k8s.io`,
      );
    default:
      throw noSuchPath();
  }
}
