import assert from "node:assert/strict";
import { test } from "node:test";
import type { Issue } from "../../base/issue.ts";
import type { Result } from "../../base/result.ts";
import { createInterner, type Interner } from "../intern.ts";
import { parseAdminNetworkPolicy, parseBaselineAdminNetworkPolicy } from "./admin-network-policy.ts";
import { parseCalicoNetworkPolicy, parseGlobalNetworkPolicy } from "./calico-policy.ts";
import { parseCiliumClusterwideNetworkPolicy, parseCiliumNetworkPolicy } from "./cilium-policy.ts";
import { parseClusterNetworkPolicy } from "./cluster-network-policy.ts";
import { parseNetworkPolicy } from "./network-policy.ts";

type Parse = (value: unknown, interner: Interner) => Result<{ readonly isAudited: boolean }, readonly Issue[]>;

const cluster = { priority: 1, subject: { namespaces: {} } };
const KINDS: Readonly<Record<string, readonly [Parse, object]>> = {
  NetworkPolicy: [parseNetworkPolicy, { podSelector: {} }],
  ClusterNetworkPolicy: [parseClusterNetworkPolicy, { tier: "Admin", ...cluster }],
  AdminNetworkPolicy: [parseAdminNetworkPolicy, cluster],
  BaselineAdminNetworkPolicy: [parseBaselineAdminNetworkPolicy, { subject: { namespaces: {} } }],
  "NetworkPolicy of Calico": [parseCalicoNetworkPolicy, {}],
  GlobalNetworkPolicy: [parseGlobalNetworkPolicy, {}],
  CiliumNetworkPolicy: [parseCiliumNetworkPolicy, { endpointSelector: {} }],
  CiliumClusterwideNetworkPolicy: [parseCiliumClusterwideNetworkPolicy, { endpointSelector: {} }],
};

for (const [kind, [parse, spec]] of Object.entries(KINDS))
  test(`the annotation of a ${kind} says whether it is enforced`, () => {
    const read = (annotations: unknown) =>
      parse({ metadata: { name: "default", annotations }, spec }, createInterner());
    const isAudited = (annotations: unknown) => {
      const result = read(annotations);
      return result.ok ? result.value.isAudited : result.error;
    };
    assert.equal(isAudited(undefined), false);
    assert.equal(isAudited({ other: "x" }), false);
    assert.equal(isAudited({ "policy.twill.dev/mode": "enforce" }), false);
    assert.equal(isAudited({ "policy.twill.dev/mode": "audit" }), true);
    const path = 'metadata.annotations["policy.twill.dev/mode"]';
    assert.deepEqual(isAudited({ "policy.twill.dev/mode": "Audit" }), [
      { path, message: '"Audit" is not one of enforce, audit' },
    ]);
    assert.deepEqual(isAudited({ "policy.twill.dev/mod": "audit" }), [
      {
        path: 'metadata.annotations["policy.twill.dev/mod"]',
        message: 'Unknown annotation "policy.twill.dev/mod": known is policy.twill.dev/mode',
      },
    ]);
  });
