/** From a request to its handler. */

import type { IncomingMessage, ServerResponse } from "node:http";
import { ApiError, forbidden, noSuchPath } from "./api-error.ts";
import { authenticate } from "./authentication.ts";
import { type Attributes, attributesOf, describeRefusal, isAllowed, verbOf } from "./authorization.ts";
import type { Exchange, ServerContext } from "./context.ts";
import {
  aggregatedDiscovery,
  aggregatedVersion,
  apiGroup,
  apiGroupList,
  apiResourceList,
  apiVersions,
  SERVER_VERSION,
} from "./discovery.ts";
import { handleResource } from "./handle-resource.ts";
import { sendError, sendJson, sendText } from "./http-answer.ts";
import { parseResourcePath, queryFlag, type ResourcePath } from "./http-request.ts";
import { effectiveUser } from "./impersonation.ts";
import { OPENAPI_V2_PROTOBUF, openApiV2, openApiV3, openApiV3Index } from "./openapi.ts";
import { handleReview } from "./reviews.ts";

const HEALTH = /^\/(healthz|livez|readyz)(\/.*)?$/;

/** Serves what anybody may ask. @returns whether it did */
function handlePublic(res: ServerResponse, pathname: string): boolean {
  if (HEALTH.test(pathname)) sendText(res, 200, "text/plain; charset=utf-8", "ok");
  else if (pathname === "/version" || pathname === "/version/") sendJson(res, 200, SERVER_VERSION);
  else return false;
  return true;
}

function sendAggregated(x: Exchange, isCore: boolean, otherwise: object): void {
  const version = aggregatedVersion(x.req.headers.accept);
  if (version === undefined) {
    sendJson(x.res, 200, otherwise);
    return;
  }
  const type = `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`;
  sendText(x.res, 200, type, JSON.stringify(aggregatedDiscovery(x.server.registry, isCore, version)));
}

/** Serves discovery and OpenAPI. @returns whether the path was one of theirs */
function handleDiscovery(x: Exchange): boolean {
  const { registry } = x.server;
  const parts = x.pathname.split("/").filter((p) => p !== "");
  const [root, first, second] = parts;
  let answer: object | undefined;
  if (root === "openapi") {
    if (first === "v2" && /openapi\.spec\.v2/.test(x.req.headers.accept ?? "")) {
      sendText(x.res, 200, OPENAPI_V2_PROTOBUF, new Uint8Array(0));
      return true;
    }
    if (first === "v2") answer = openApiV2();
    else if (first === "v3")
      answer = parts.length === 2 ? openApiV3Index(registry) : openApiV3(registry, parts.slice(2).join("/"));
  } else if (root === "api" && parts.length === 1) {
    sendAggregated(x, true, apiVersions());
    return true;
  } else if (root === "apis" && parts.length === 1) {
    sendAggregated(x, false, apiGroupList(registry));
    return true;
  } else if (root === "api" && parts.length === 2) answer = apiResourceList(registry, "", first ?? "");
  else if (root === "apis" && parts.length === 2) answer = apiGroup(registry, first ?? "");
  else if (root === "apis" && parts.length === 3) answer = apiResourceList(registry, first ?? "", second ?? "");
  else if (parts.length === 0)
    answer = { paths: ["/api", "/apis", "/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version"] };
  else return false;
  if (answer === undefined) throw noSuchPath();
  sendJson(x.res, 200, answer);
  return true;
}

/** @throws ApiError 403 */
function authorize(x: Exchange, path: ResourcePath | undefined): void {
  const method = x.req.method ?? "GET";
  const wanted: Attributes =
    path === undefined
      ? { kind: "path", verb: method.toLowerCase(), path: x.pathname }
      : attributesOf(path, verbOf(method, path, queryFlag(x.query, "watch")));
  if (isAllowed(x.server.storage, x.user, wanted)) return;
  const about = { group: path?.group ?? "", plural: path?.plural ?? x.pathname, kind: "" };
  throw forbidden(about, path?.name ?? "", describeRefusal(x.user, wanted));
}

async function route(server: ServerContext, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const url = new URL(req.url ?? "/", "https://api");
  if (handlePublic(res, url.pathname)) return;
  const known = authenticate(req, server.tokens);
  if (known === undefined) throw new ApiError(401, "Unauthorized", "Unauthorized");
  const user = effectiveUser(req, server.storage, known);
  const x: Exchange = { server, req, res, pathname: url.pathname, query: url.searchParams, user };
  const path = parseResourcePath(url.pathname);
  authorize(x, path);
  if (handleDiscovery(x)) return;
  if (path === undefined) throw noSuchPath();
  if (await handleReview(x, path)) return;
  await handleResource(x, path);
}

/** Serves one request; never throws. */
export async function handleRequest(server: ServerContext, req: IncomingMessage, res: ServerResponse): Promise<void> {
  try {
    await route(server, req, res);
  } catch (error) {
    if (!(error instanceof ApiError)) server.onError(error, `${req.method} ${req.url}`);
    // The rest of an unread body is thrown away, and nothing else follows on its connection.
    if (!req.complete && !res.headersSent) res.setHeader("connection", "close");
    sendError(res, error);
    if (!req.complete) req.resume();
  }
}
