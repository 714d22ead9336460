import assert from "node:assert/strict";
import { get } from "node:https";
import { after, before, test } from "node:test";
import { startTestApi, type TestApi } from "../testing.ts";

let t: TestApi;
before(async () => {
  t = await startTestApi();
  const rbac = (kind: string, name: string, more: object) =>
    t.api.objects.create({ apiVersion: "rbac.authorization.k8s.io/v1", kind, metadata: { name }, ...more });
  const rule = (verbs: string[], resources: string[], names: object = {}) => ({
    apiGroups: [""],
    verbs,
    resources,
    ...names,
  });
  rbac("ClusterRole", "reads", { rules: [rule(["list"], ["configmaps"])] });
  rbac("ClusterRole", "acts", { rules: [rule(["impersonate"], ["users"], { resourceNames: ["jane"] })] });
  const bind = (name: string, ...subjects: object[]) =>
    rbac("ClusterRoleBinding", name, { roleRef: { kind: "ClusterRole", name }, subjects });
  bind("reads", { kind: "User", name: "jane" }, { kind: "Group", name: "readers" });
  bind("acts", { kind: "ServiceAccount", name: "default", namespace: "default" });
});
after(() => t[Symbol.asyncDispose]());

function status(path: string, headers: Record<string, string | string[]>, isAdmin = true): Promise<number> {
  const { ca, clientCert, clientKey } = t.config;
  const read = (s: typeof ca) => (s?.kind === "value" ? s.text : "");
  const own = isAdmin ? { cert: read(clientCert), key: read(clientKey) } : {};
  return new Promise((done, failed) => {
    const answered = (res: { resume(): void; statusCode?: number | undefined }) => {
      res.resume();
      done(res.statusCode ?? 0);
    };
    get(`https://127.0.0.1:${t.port}${path}`, { ca: read(ca), ...own, headers }, answered).on("error", failed);
  });
}

const MAPS = "/api/v1/configmaps";
const SECRETS = "/api/v1/secrets";

test("a request is judged as the user and the groups that it names", async () => {
  assert.equal(await status(MAPS, { "impersonate-user": "jane" }), 200);
  assert.equal(await status(SECRETS, { "impersonate-user": "jane" }), 403);
  assert.equal(await status(MAPS, { "impersonate-user": "joe" }), 403);
  assert.equal(await status(MAPS, { "impersonate-user": "joe", "impersonate-group": ["a", "readers"] }), 200);
  assert.equal(await status(SECRETS, { "impersonate-user": "joe", "impersonate-group": "system:masters" }), 200);
  assert.equal(await status(MAPS, { "impersonate-user": "system:serviceaccount:default:default" }), 403);
});

test("groups alone are nobody", async () => assert.equal(await status(MAPS, { "impersonate-group": "readers" }), 400));

test("only who may acts as another", async () => {
  const path = "/api/v1/namespaces/default/serviceaccounts/default/token";
  const made = (await t.connection.json({ method: "POST", path, body: {}, signal: AbortSignal.timeout(60_000) })) as {
    status: { token: string };
  };
  const authorization = `Bearer ${made.status.token}`;
  assert.equal(await status(MAPS, { authorization, "impersonate-user": "jane" }, false), 200);
  assert.equal(await status(MAPS, { authorization, "impersonate-user": "joe" }, false), 403);
  const asMaster = { authorization, "impersonate-user": "jane", "impersonate-group": "system:masters" };
  assert.equal(await status(SECRETS, asMaster, false), 403);
});
