import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { parseAllDocuments } from "yaml";
import type { NewObject } from "../src/cluster/embedded/types.ts";
import { createKubeSource } from "../src/cluster/kube/kube-source.ts";
import { TABLE_KINDS } from "../src/cluster/tables.ts";
import { eventually, startTestApi } from "../src/cluster/testing.ts";
import { CRD_FOLDER, crdFiles } from "./crds.ts";
import { repoText } from "./repo-files.ts";

interface Spec {
  readonly group: string;
  readonly names: { readonly kind: string };
  readonly scope: string;
  readonly versions: readonly { readonly name: string }[];
}

const definitions = (file: string): NewObject[] =>
  parseAllDocuments(repoText(`install/crds/${file}`)).map((d) => d.toJS() as NewObject);

test("the files are what tools/crds.ts would write", () => {
  const files = readdirSync(CRD_FOLDER).filter((f) => f.endsWith(".yaml"));
  assert.deepEqual(files, [...crdFiles().keys()].sort(), "node tools/crds.ts writes them");
  for (const [name, text] of crdFiles()) assert.equal(repoText(`install/crds/${name}`), text, name);
});

test("every kind that a cluster may lack is defined, in each group and version that it is read from", () => {
  const defined = [...crdFiles().keys()].flatMap(definitions).flatMap((d) => {
    const { group, names, scope, versions } = d["spec"] as Spec;
    return versions.map((v) => `${group}/${v.name} ${names.kind} ${scope}`);
  });
  // Slices are Kubernetes' own.
  const wanted = TABLE_KINDS.filter((k) => k.isOptional && k.table !== "endpointSlices").flatMap((k) => {
    return k.collections.map((c) => `${c.apiVersion} ${k.kind} ${k.isNamespaced ? "Namespaced" : "Cluster"}`);
  });
  assert.deepEqual(defined.sort(), wanted.sort());
});

for (const calico of ["projectcalico.org.yaml", "crd.projectcalico.org.yaml"])
  test(`an API takes the definitions with ${calico}, keeps what it does not know, and serves every table`, async () => {
    await using t = await startTestApi();
    const source = createKubeSource({ config: t.config, userAgent: "x", absentRetryMs: 50 });
    const ending = new AbortController();
    const done = source.run(ending.signal);
    await source.whenSynced(AbortSignal.timeout(20_000));
    assert.equal(source.stateOf("calicoTiers"), "absent");
    for (const file of ["policy.networking.k8s.io.yaml", calico, "cilium.io.yaml", "twill.dev.yaml"])
      for (const d of definitions(file)) t.api.objects.create(d);
    await eventually("every table is known", () => source.health().tables.every((h) => h.state === "known"));
    const [group] = calico.split(".yaml");
    const apiVersion = `${group}/${group === "projectcalico.org" ? "v3" : "v1"}`;
    const metadata = { name: "t", namespace: "default" };
    t.api.objects.create({ apiVersion, kind: "NetworkPolicy", metadata, spec: { selectr: "all()" }, extra: 1 });
    const ref = { apiVersion, kind: "NetworkPolicy", name: "t", namespace: "default" };
    assert.deepEqual(t.api.objects.get(ref)?.["spec"], { selectr: "all()" });
    await eventually("the field that nobody knows is told", () =>
      source.health().problems.some((p) => p.issues.some((i) => i.path === "spec.selectr")),
    );
    ending.abort();
    await done;
  });
