import assert from "node:assert/strict";
import { test } from "node:test";
import type { Endpoint } from "../../model/endpoint.ts";
import { addr, addrEqual } from "../../net/addr.ts";
import { eventNames, type NameSource } from "./event-names.ts";

const endpoint = (id: number, ip: string, podName?: string) =>
  ({
    id,
    addrs: [addr(ip)],
    containerId: `c${id}`,
    podNamespace: podName && "default",
    podName,
  }) as unknown as Endpoint;
const ENDPOINTS = [endpoint(1, "10.0.0.1", "a"), endpoint(2, "10.0.0.2")];
const OWNERS: Readonly<Record<string, string>> = {
  "10.0.0.1": "endpoint 1",
  "10.0.0.9": "pod other/p",
  "192.0.2.1": "node node-2",
};
const REF = { dialect: "kubernetes", kind: "NetworkPolicy", namespace: "default", name: "web" } as const;

const source: NameSource = {
  ownerAt: (a) => OWNERS[a.text],
  endpointAt: (a) => ENDPOINTS.find((e) => e.addrs.some((b) => addrEqual(a, b))),
  rule: (n) =>
    n === 5
      ? {
          info: {
            direction: "ingress",
            ref: REF,
            path: "spec.ingress[0]",
            name: "",
            action: "deny",
            isolatedBy: [REF],
          },
          isCurrent: false,
        }
      : undefined,
  whyClosed: (id) => (id === 2 ? "not known" : undefined),
};
const names = eventNames(() => source);

test("pods of this node and others, nodes, and containers of no pod", () => {
  const at = (ip: string) => names.at(addr(ip));
  assert.deepEqual(at("10.0.0.1"), { kind: "pod", name: "default/a" });
  assert.deepEqual(at("10.0.0.2"), { kind: "pod", name: "c2" });
  assert.deepEqual(at("10.0.0.9"), { kind: "pod", name: "other/p" });
  assert.deepEqual(at("192.0.2.1"), { kind: "node", name: "node-2" });
  assert.equal(at("198.51.100.1"), undefined);
});

test("rules by the name of their object", () => {
  assert.deepEqual(names.rule(5), {
    object: "NetworkPolicy default/web",
    path: "spec.ingress[0]",
    name: "",
    isolatedBy: ["NetworkPolicy default/web"],
    isCurrent: false,
  });
  assert.equal(names.rule(6), undefined);
});

test("why nothing answered", () => {
  assert.equal(names.whyClosed(addr("10.0.0.2")), "not known");
  assert.match(names.whyClosed(addr("10.0.0.1")), /being written/);
  assert.match(names.whyClosed(addr("10.0.0.7")), /no pod of this node/);
  assert.match(names.whyClosed(addr("192.0.2.1")), /^the node's/);
});

test("before policy is known nothing has a name", () => {
  const early = eventNames(() => undefined);
  assert.deepEqual([early.at(addr("10.0.0.1")), early.rule(5)], [undefined, undefined]);
});
