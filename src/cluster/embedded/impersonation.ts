/** Acting as somebody else (`kubectl --as`): `Impersonate-User`, `-Group`, `-Uid`; who asks must be allowed to. */

import type { IncomingMessage } from "node:http";
import { badRequest, forbidden } from "./api-error.ts";
import { serviceAccountUser, type User } from "./authentication.ts";
import { type Attributes, describeRefusal, isAllowed } from "./authorization.ts";
import type { Storage } from "./storage.ts";

const ACCOUNT = /^system:serviceaccount:([^:]+):([^:]+)$/;
const ANONYMOUS = "system:anonymous";

function impersonated(name: string, groups: readonly string[]): User {
  const account = ACCOUNT.exec(name);
  if (account !== null && groups.length === 0) return serviceAccountUser(account[1] ?? "", account[2] ?? "");
  const state = name === ANONYMOUS ? "system:unauthenticated" : "system:authenticated";
  return { name, groups: groups.includes(state) ? groups : [...groups, state] };
}

function wanted(resource: string, name: string, namespace?: string): Attributes {
  return { kind: "resource", verb: "impersonate", group: "", resource, subresource: "", namespace, name };
}

/** Whom a request is judged as. @throws ApiError 400 for groups without a user, 403 for who may not */
export function effectiveUser(req: IncomingMessage, storage: Storage, user: User): User {
  const { headersDistinct: all } = req;
  const name = all["impersonate-user"]?.[0] ?? "";
  const groups = (all["impersonate-group"] ?? []).filter((g) => g !== "");
  const others = Object.keys(all).filter((h) => h.startsWith("impersonate-") && h !== "impersonate-user");
  if (name === "") {
    if (others.length === 0) return user;
    throw badRequest(`requested ${others[0]} without impersonating a user: Impersonate-User is missing`);
  }
  const account = ACCOUNT.exec(name);
  const first = account === null ? wanted("users", name) : wanted("serviceaccounts", account[2] ?? "", account[1]);
  for (const a of [first, ...groups.map((g) => wanted("groups", g))])
    if (a.kind === "resource" && !isAllowed(storage, user, a))
      throw forbidden({ group: a.group, plural: a.resource, kind: "" }, a.name, describeRefusal(user, a));
  return impersonated(name, groups);
}
