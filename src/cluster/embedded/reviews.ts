/** Questions about users and permissions. There is no authorisation here: whoever is known may do everything. */

import { methodNotAllowed } from "./api-error.ts";
import type { Exchange } from "./context.ts";
import { type Fields, isFields } from "./fields.ts";
import { sendJson } from "./http-answer.ts";
import { type ResourcePath, readObjectBody } from "./http-request.ts";

type Answer = (x: Exchange, spec: Fields) => Fields;

const allowed: Answer = () => ({ allowed: true, reason: "the embedded API authorises every known user" });

const ANSWERS: Readonly<Record<string, Answer>> = {
  "authorization.k8s.io/selfsubjectaccessreviews": allowed,
  "authorization.k8s.io/subjectaccessreviews": allowed,
  "authorization.k8s.io/selfsubjectrulesreviews": () => ({
    resourceRules: [{ verbs: ["*"], apiGroups: ["*"], resources: ["*"] }],
    nonResourceRules: [{ verbs: ["*"], nonResourceURLs: ["*"] }],
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
