/** Questions about users and permissions. */

import { methodNotAllowed } from "./api-error.ts";
import type { User } from "./authentication.ts";
import { type Attributes, describeRefusal, isAllowed, rulesOf } from "./authorization.ts";
import type { Exchange } from "./context.ts";
import { type Fields, isFields } from "./fields.ts";
import { sendJson } from "./http-answer.ts";
import { type ResourcePath, readObjectBody } from "./http-request.ts";

type Answer = (x: Exchange, spec: Fields) => Fields;

/** What a review asks about. */
function asked(spec: Fields): Attributes {
  const r: Fields | undefined = spec["resourceAttributes"];
  if (r === undefined)
    return {
      kind: "path",
      verb: spec["nonResourceAttributes"]?.verb ?? "",
      path: spec["nonResourceAttributes"]?.path ?? "",
    };
  const text = (key: string): string => r[key] ?? "";
  return {
    kind: "resource",
    verb: text("verb"),
    group: text("group"),
    resource: text("resource"),
    subresource: text("subresource"),
    namespace: text("namespace") || undefined,
    name: text("name"),
  };
}

function review(x: Exchange, user: User, spec: Fields): Fields {
  const wanted = asked(spec);
  const allowed = isAllowed(x.server.storage, user, wanted);
  return allowed ? { allowed } : { allowed, reason: describeRefusal(user, wanted) };
}

const ANSWERS: Readonly<Record<string, Answer>> = {
  "authorization.k8s.io/selfsubjectaccessreviews": (x, spec) => review(x, x.user, spec),
  "authorization.k8s.io/subjectaccessreviews": (x, spec) =>
    review(x, { name: String(spec["user"] ?? ""), groups: spec["groups"] ?? [] }, spec),
  "authorization.k8s.io/localsubjectaccessreviews": (x, spec) =>
    review(x, { name: String(spec["user"] ?? ""), groups: spec["groups"] ?? [] }, spec),
  "authorization.k8s.io/selfsubjectrulesreviews": (x, spec) => ({
    ...rulesOf(x.server.storage, x.user, spec["namespace"] ?? "default"),
    incomplete: false,
  }),
  "authentication.k8s.io/selfsubjectreviews": (x) => ({ userInfo: { username: x.user.name, groups: x.user.groups } }),
  "authentication.k8s.io/tokenreviews": (x, spec) => {
    const user = x.server.tokens.find(String(spec["token"] ?? ""));
    return user === undefined
      ? { authenticated: false }
      : { authenticated: true, user: { username: user.name, groups: user.groups } };
  },
};

/** Serves a review. @returns false when the path is none */
export async function handleReview(x: Exchange, path: ResourcePath): Promise<boolean> {
  const answer = ANSWERS[`${path.group}/${path.plural}`];
  if (answer === undefined || path.version !== "v1" || path.name !== undefined) return false;
  if (x.req.method !== "POST") throw methodNotAllowed();
  const body = await readObjectBody(x.req);
  const given: Fields = isFields(body) ? body : {};
  sendJson(x.res, 201, { metadata: { creationTimestamp: null }, ...given, status: answer(x, given["spec"] ?? {}) });
  return true;
}
