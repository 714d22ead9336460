import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Connection, createConnection } from "../kube/connection.ts";
import { createKubeSource } from "../kube/kube-source.ts";
import { ClusterError } from "../source.ts";
import { startTestApi, type TestApi } from "../testing.ts";
import type { Fields } from "./fields.ts";
import type { NewObject } from "./types.ts";

/** Exactly what an agent needs of the API. */
const AGENT_RULES = [
  {
    apiGroups: [
      "networking.k8s.io",
      "policy.networking.k8s.io",
      "projectcalico.org",
      "crd.projectcalico.org",
      "cilium.io",
    ],
    resources: ["*"],
    verbs: ["list", "watch"],
  },
  { apiGroups: [""], resources: ["nodes", "pods", "namespaces"], verbs: ["list", "watch"] },
  {
    apiGroups: ["twill.dev"],
    resources: ["clusterconfigurations", "nodeconfigurations", "ippools"],
    verbs: ["list", "watch"],
  },
  { apiGroups: [""], resources: ["nodes"], verbs: ["get", "patch"] },
  { apiGroups: [""], resources: ["nodes/status"], verbs: ["patch"] },
];

let t: TestApi;
const open: Connection[] = [];
before(async () => {
  t = await startTestApi();
  t.api.objects.create({ apiVersion: "v1", kind: "Node", metadata: { name: "node-1" } });
});
after(async () => {
  for (const c of open) c[Symbol.dispose]();
  await t[Symbol.asyncDispose]();
  assert.deepEqual(t.errors, []);
});

const signal = () => AbortSignal.timeout(60_000);

async function accountConfig(name: string) {
  t.api.objects.apply({ apiVersion: "v1", kind: "ServiceAccount", metadata: { name, namespace: "default" } });
  const path = `/api/v1/namespaces/default/serviceaccounts/${name}/token`;
  const made = (await t.connection.json({ method: "POST", path, body: {}, signal: signal() })) as Fields;
  const token = { kind: "value", text: String(made["status"].token) } as const;
  return { ...t.config, clientCert: undefined, clientKey: undefined, token };
}

async function account(name: string): Promise<Connection> {
  const c = createConnection(await accountConfig(name), { userAgent: "x", perSecond: 1000, burst: 1000 });
  open.push(c);
  return c;
}

const role = (kind: "Role" | "ClusterRole", name: string, rules: object[]): NewObject => ({
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind,
  metadata: { name, ...(kind === "Role" ? { namespace: "default" } : {}) },
  rules,
});
const bind = (
  kind: "RoleBinding" | "ClusterRoleBinding",
  roleKind: string,
  name: string,
  account: string,
): NewObject => ({
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind,
  metadata: { name, ...(kind === "RoleBinding" ? { namespace: "default" } : {}) },
  subjects: [{ kind: "ServiceAccount", name: account, namespace: "default" }],
  roleRef: { kind: roleKind, name },
});

const get = (c: Connection, path: string) => c.json({ method: "GET", path, signal: signal() });
const forbidden = (pattern: RegExp) => (e: unknown) =>
  e instanceof ClusterError && e.code === "Forbidden" && pattern.test(e.message);

test("an account without a role reads discovery and nothing else", async () => {
  const c = await account("nobody");
  for (const path of ["/api", "/apis", "/api/v1", "/openapi/v3", "/version"]) await get(c, path);
  await assert.rejects(
    get(c, "/api/v1/nodes"),
    forbidden(
      /User "system:serviceaccount:default:nobody" cannot list resource "nodes" in API group "" at the cluster scope/,
    ),
  );
  await assert.rejects(
    get(c, "/api/v1/namespaces/default/pods?watch=1"),
    forbidden(/cannot watch resource "pods" in API group "" in the namespace "default"/),
  );
  const body = { spec: { resourceAttributes: { verb: "get", resource: "pods", namespace: "default" } } };
  const review = (await c.json({
    method: "POST",
    path: "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
    body,
    signal: signal(),
  })) as Fields;
  assert.equal(review["status"].allowed, false);
});

test("an agent works with exactly its rules", async () => {
  t.api.objects.create(role("ClusterRole", "agent", AGENT_RULES));
  t.api.objects.create(bind("ClusterRoleBinding", "ClusterRole", "agent", "agent"));
  const failures: unknown[] = [];
  const source = createKubeSource({
    config: await accountConfig("agent"),
    userAgent: "x",
    onFailure: (e) => failures.push(e),
  });
  const stop = new AbortController();
  const done = source.run(stop.signal);
  await source.whenSynced(signal());
  await source.patchNodeAnnotations("node-1", { a: "b" }, signal());
  await source.patchNodeConditions("node-1", [{ type: "T", status: "True", reason: "R", message: "m" }], signal());
  stop.abort();
  await done;
  assert.deepEqual(failures, []);
  const c = await account("agent");
  for (const path of ["/api/v1/secrets", "/api/v1/namespaces/default/pods/x", "/apis/apps/v1/daemonsets"])
    await assert.rejects(get(c, path), forbidden(/cannot/));
  await assert.rejects(
    c.json({ method: "DELETE", path: "/api/v1/nodes/node-1", signal: signal() }),
    forbidden(/cannot delete/),
  );
});

test("roles in a namespace end at its border; names and subresources are told apart", async () => {
  t.api.objects.create(
    role("Role", "local", [
      { apiGroups: [""], resources: ["configmaps"], verbs: ["get"], resourceNames: ["kube-root-ca.crt"] },
      { apiGroups: [""], resources: ["pods/log"], verbs: ["*"] },
    ]),
  );
  t.api.objects.create(bind("RoleBinding", "Role", "local", "local"));
  const c = await account("local");
  await get(c, "/api/v1/namespaces/default/configmaps/kube-root-ca.crt");
  await assert.rejects(get(c, "/api/v1/namespaces/default/configmaps/other"), forbidden(/cannot get/));
  await assert.rejects(get(c, "/api/v1/namespaces/kube-system/configmaps/kube-root-ca.crt"), forbidden(/kube-system/));
  await assert.rejects(get(c, "/api/v1/namespaces/default/pods/p"), forbidden(/cannot get/));
  await assert.rejects(
    get(c, "/api/v1/namespaces/default/pods/p/log"),
    (e) => e instanceof ClusterError && e.code === "NotFound",
  );
});
