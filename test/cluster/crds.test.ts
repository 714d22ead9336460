/** The definitions of install/crds, given to the embedded API and, where there is one, to a real kube-apiserver. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { parseAllDocuments } from "yaml";
import type { Connection } from "../../src/cluster/kube/connection.ts";
import { eventually, startTestApi } from "../../src/cluster/testing.ts";
import { crdFiles } from "../../tools/crds.ts";
import { findRealPrograms, startRealApi } from "./real-api.ts";

interface Api extends AsyncDisposable {
  readonly connection: Connection;
}

function kindOf(definitions: readonly Definition[], plural: string): string {
  return definitions.find((d) => d.spec.names.plural === plural)?.spec.names.kind ?? "";
}

interface Definition {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly group: string;
    readonly scope: string;
    readonly names: { readonly plural: string; readonly kind: string };
    readonly versions: readonly { readonly name: string }[];
  };
}

/** What a specification must have. */
const NEEDED: Readonly<Record<string, object>> = {
  ClusterConfiguration: { mtu: "auto", devices: ["eth0"], policy: { mode: "always" } },
  LoadBalancerPool: { addresses: ["192.0.2.0/28"], automatic: true },
  IPPool: { cidr: "10.0.0.0/16", reserved: ["10.0.0.1-10.0.0.9"] },
  NodeConfiguration: { nodes: ["a"], config: { mtu: 1400, devices: "auto" } },
};

/** What Twill's own kinds refuse at once. */
const WRONG: readonly (readonly [plural: string, spec: object, expected: RegExp])[] = [
  ["clusterconfigurations", { tunnel: { port: 70000 } }, /spec\.tunnel\.port.*65535/],
  ["clusterconfigurations", { policy: { mode: "sometimes" } }, /spec\.policy\.mode.*"sometimes"/],
  ["ippools", { nodeMaskSize: 24 }, /spec\.cidr: Required value/],
  ["ippools", { cidr: "10.0.0.0/16", disabled: "yes" }, /spec\.disabled.*boolean/],
  ["nodeconfigurations", { nodes: ["a"] }, /spec\.config: Required value/],
  [
    "nodeconfigurations",
    { nodeSelector: { matchExpressions: [{ key: "a", operator: "Is" }] }, config: {} },
    /operator.*"Is"/,
  ],
];

const MANIFEST = new URL("../../install/twill.yaml", import.meta.url);
const programs = findRealPrograms();
describe("the embedded API", () => suite(() => startTestApi()));
if (typeof programs === "string") test("a real kube-apiserver", { skip: programs }, () => {});
else describe("a real kube-apiserver", () => suite(() => startRealApi(programs)));

/** Where an object of the manifest is made. */
function pathOf({ apiVersion, kind, metadata }: Made): string {
  const root = apiVersion.includes("/") ? "apis" : "api";
  const place = metadata.namespace === undefined ? "" : `/namespaces/${metadata.namespace}`;
  return `/${root}/${apiVersion}${place}/${kind.toLowerCase()}s`;
}

interface Made {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

function suite(start: () => Promise<Api>): void {
  let api: Api;
  before(async () => {
    api = await start();
  });
  after(() => api[Symbol.asyncDispose]());

  const ask = (method: "GET" | "POST" | "PATCH", path: string, body?: unknown) =>
    api.connection.json({
      method,
      path,
      signal: AbortSignal.timeout(60_000),
      ...(body === undefined ? {} : { body }),
      ...(method === "PATCH" ? { contentType: "application/merge-patch+json" } : {}),
    }) as Promise<Readonly<Record<string, unknown>> & { readonly status?: object; readonly spec?: object }>;

  test("takes every object of install/twill.yaml, on trial", async () => {
    const objects = parseAllDocuments(readFileSync(MANIFEST, "utf8")).map((d) => d.toJS() as Made);
    assert.ok(objects.length > 6);
    for (const object of objects) {
      const made = await ask("POST", `${pathOf(object)}?dryRun=All`, object);
      assert.equal((made as unknown as Made).metadata.name, object.metadata.name);
      await assert.rejects(ask("GET", `${pathOf(object)}/${object.metadata.name}`), "it was a trial");
    }
  });

  for (const [file, text] of crdFiles())
    test(`takes ${file}; its kinds keep what they are given, and have a status of their own`, async () => {
      const definitions = parseAllDocuments(text).map((d) => d.toJS() as Definition);
      for (const d of definitions) await ask("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", d);
      for (const { spec } of definitions) {
        const version = spec.versions[0]?.name ?? "";
        const place = spec.scope === "Namespaced" ? "/namespaces/default" : "";
        const path = `/apis/${spec.group}/${version}${place}/${spec.names.plural}`;
        await eventually(
          `${path} is served`,
          () =>
            ask("GET", path).then(
              () => true,
              () => false,
            ),
          60_000,
        );
        const given = { ...NEEDED[spec.names.kind], nobody: { knows: ["this", 1, null] } };
        const object = {
          apiVersion: `${spec.group}/${version}`,
          kind: spec.names.kind,
          metadata: { name: "default" },
          spec: given,
        };
        const made = await ask("POST", path, object);
        assert.deepEqual(made.spec, given);
        const condition = {
          type: "Accepted",
          status: "False",
          reason: "Invalid",
          message: "m",
          observedGeneration: 1,
          lastTransitionTime: "2026-01-01T00:00:00Z",
        };
        const now = await ask("PATCH", `${path}/default/status`, { status: { conditions: [condition] } });
        assert.deepEqual(now.status, { conditions: [condition] });
        await assert.rejects(
          ask("PATCH", `${path}/default/status`, { status: { conditions: [{ type: "Accepted" }] } }),
          // Without the index in Kubernetes 1.20.
          /status\.conditions(\[0\])?\.lastTransitionTime: Required value/,
          "a condition is checked",
        );
      }
      if (file !== "twill.dev.yaml") return;
      for (const [plural, spec, expected] of WRONG) {
        const object = {
          apiVersion: "twill.dev/v1alpha1",
          kind: kindOf(definitions, plural),
          metadata: { name: "wrong" },
          spec,
        };
        await assert.rejects(ask("POST", `/apis/twill.dev/v1alpha1/${plural}`, object), expected);
      }
    });
}
