import assert from "node:assert/strict";
import { test } from "node:test";
import { startTestApi, type TestApi } from "../testing.ts";
import { findHints } from "./find-hints.ts";

const NET_CONF = { Network: "10.9.0.0/16", Backend: { Type: "vxlan", Port: 4789 } };

function put(t: TestApi, namespace: string, name: string, data: Record<string, string>): void {
  const of = { apiVersion: "v1", kind: "Namespace", name: namespace };
  if (t.api.objects.get(of) === undefined)
    t.api.objects.create({ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
  t.api.objects.create({ apiVersion: "v1", kind: "ConfigMap", metadata: { namespace, name }, data });
}

const ask = (t: TestApi) => findHints(t.config, "twill-test", AbortSignal.timeout(60_000));

test("a cluster that says nothing gives nothing", async () => {
  await using t = await startTestApi();
  assert.equal(await ask(t), undefined);
});

test("Flannel's word counts before kubeadm's, in either of its namespaces", async () => {
  await using t = await startTestApi();
  put(t, "kube-system", "kubeadm-config", { ClusterConfiguration: "networking: {podSubnet: 10.8.0.0/16}" });
  const kubeadm = await ask(t);
  assert.deepEqual(
    [kubeadm?.from, kubeadm?.hints.clusterCIDRs],
    ["ConfigMap kube-system/kubeadm-config", ["10.8.0.0/16"]],
  );
  put(t, "kube-system", "kube-flannel-cfg", { "net-conf.json": JSON.stringify(NET_CONF) });
  assert.equal((await ask(t))?.from, "ConfigMap kube-system/kube-flannel-cfg");
  put(t, "kube-flannel", "kube-flannel-cfg", {
    "net-conf.json": JSON.stringify({ ...NET_CONF, Network: "10.7.0.0/16" }),
  });
  const flannel = await ask(t);
  assert.equal(flannel?.from, "ConfigMap kube-flannel/kube-flannel-cfg");
  assert.deepEqual(flannel.hints, { clusterCIDRs: ["10.7.0.0/16"], tunnel: { port: 4789 }, differences: [] });
});

test("what cannot be read is named with its place and its reason", async () => {
  await using t = await startTestApi();
  put(t, "kube-flannel", "kube-flannel-cfg", { "net-conf.json": '{"Network": "10.9.0.0/77"}' });
  await assert.rejects(
    ask(t),
    /Cannot read "net-conf\.json" of ConfigMap kube-flannel\/kube-flannel-cfg:\nNetwork: .*10\.9\.0\.0\/77/,
  );
});
