/**
 * Policies that are made, deleted, tightened and loosened under living flows: TCP and UDP, both families, to a pod of the
 * same node and of another, at either end. Each flow is cut or kept with the first packet after the kernel was told.
 */

import { after, before, describe, test } from "node:test";
import type { NewObject, ObjectRef } from "../../src/cluster/embedded/types.ts";
import { type Lab, startLab } from "../../src/lab/lab.ts";
import { LiveFlow } from "../fixture/live-flow.ts";
import { type Expected, PolicyChanges } from "../fixture/policy-change.ts";
import { policyDefinitions } from "../fixture/policy-kinds.ts";
import { waitFor } from "../fixture/sandbox.ts";

const READY_MS = 120_000;
const PORT = 8080;
const KUBERNETES = "networking.k8s.io/v1";
const CALICO = "projectcalico.org/v3";
const ADMIN = "policy.networking.k8s.io/v1alpha2";

const ALL_KEPT: Expected = () => true;
const ALL_CUT: Expected = () => false;
const to =
  (name: string): Expected =>
  (flow) =>
    flow.name.includes(` ${name} `);

const both = (port: number | string) => ["TCP", "UDP"].map((protocol) => ({ protocol, port }));
const byName = (name: string) => [
  { protocol: "TCP", port: `${name}-tcp` },
  { protocol: "UDP", port: `${name}-udp` },
];

function networkPolicy(namespace: string, name: string, spec: object): NewObject {
  return { apiVersion: KUBERNETES, kind: "NetworkPolicy", metadata: { namespace, name }, spec };
}

const SERVERS = { matchLabels: { app: "server" } };
const ingress = (...rules: object[]) =>
  networkPolicy("servers", "in", { podSelector: SERVERS, policyTypes: ["Ingress"], ingress: rules });
const egress = (...rules: object[]) =>
  networkPolicy("clients", "out", { podSelector: {}, policyTypes: ["Egress"], egress: rules });

describe("policy that changes under living flows", () => {
  let lab: Lab;
  let flows: LiveFlow[];
  let changes: PolicyChanges;

  before(async () => {
    lab = await startLab({ name: "test-policy-live", nodes: 2, objects: policyDefinitions() });
    await lab.ready(READY_MS);
    for (const name of ["servers", "clients"])
      lab.objects.create({ apiVersion: "v1", kind: "Namespace", metadata: { name, labels: { who: name } } });
    const ports = ["serve", "other"].flatMap((name, i) =>
      both(PORT + i).map((p) => ({
        name: `${name}-${p.protocol.toLowerCase()}`,
        containerPort: p.port,
        protocol: p.protocol,
      })),
    );
    for (const [namespace, name, nodeName, app] of [
      ["clients", "client", "node-1", "client"],
      ["servers", "near", "node-1", "server"],
      ["servers", "far", "node-2", "server"],
    ] as const)
      lab.objects.create({
        apiVersion: "v1",
        kind: "Pod",
        metadata: { namespace, name, labels: { app } },
        spec: { nodeName, containers: [{ name: "c", image: "pause", ports }] },
      });
    const find = (name: string) => lab.endpoints().find((e) => e.name === name);
    const [client, near, far] = await waitFor(
      "the pods",
      () => {
        const found = ["clients/client", "servers/near", "servers/far"].flatMap((n) => find(n) ?? []);
        return found.length === 3 && found;
      },
      READY_MS,
    );
    flows = [];
    for (const server of [near, far])
      for (const [i, address] of (server?.addresses ?? []).entries())
        for (const protocol of ["TCP", "UDP"] as const) {
          const ends = [
            { netns: client?.netns ?? "", address: client?.addresses[i] ?? "" },
            { netns: server?.netns ?? "", address },
          ] as const;
          const name = `${protocol} to ${server === near ? "near" : "far"} ${address}`;
          flows.push(await LiveFlow.open(name, protocol, ends, PORT));
        }
    changes = new PolicyChanges(lab, flows);
  });
  after(async () => {
    changes?.[Symbol.dispose]();
    for (const flow of flows ?? []) flow[Symbol.dispose]();
    await lab?.[Symbol.asyncDispose]();
  });

  const put = (object: NewObject) => void lab.objects.apply(object);
  /** Replaces the whole: merging would keep what was left out. */
  function replace(object: NewObject): void {
    lab.objects.update(object);
  }
  function drop({ apiVersion, kind, metadata }: NewObject): void {
    const { name = "", namespace } = metadata;
    const ref: ObjectRef = { apiVersion, kind, name, ...(namespace === undefined ? {} : { namespace }) };
    lab.objects.delete(ref);
  }
  function label(kind: "Pod" | "Namespace", key: string, labels: Record<string, string | null>): void {
    const [name = "", namespace] = key.split("/").toReversed();
    const ref: ObjectRef = { apiVersion: "v1", kind, name, ...(namespace === undefined ? {} : { namespace }) };
    lab.objects.patch(ref, { metadata: { labels } });
  }

  test("at the server: tightened, loosened, deleted", async () => {
    await changes.make("a policy that allows the flows comes", () => put(ingress({ ports: both(PORT) })), ALL_KEPT);
    await changes.make("it is tightened to another port", () => replace(ingress({ ports: both(PORT + 1) })), ALL_CUT);
    await changes.make("it is loosened", () => replace(ingress({ ports: both(PORT) })), ALL_KEPT);
    await changes.make("it is tightened to nothing", () => replace(ingress()), ALL_CUT);
    await changes.make("it is deleted", () => drop(ingress()), ALL_KEPT);
  });

  test("at the client: tightened to one server, then to none, deleted", async () => {
    const toServers = { to: [{ namespaceSelector: { matchLabels: { who: "servers" } } }] };
    await changes.make("a policy that allows the flows comes", () => put(egress(toServers)), ALL_KEPT);
    const near = lab.endpoints().find((e) => e.name === "servers/near")?.addresses ?? [];
    const blocks = near.map((a) => ({ ipBlock: { cidr: `${a}/${a.includes(":") ? 128 : 32}` } }));
    await changes.make("it is tightened to one server", () => replace(egress({ to: blocks })), to("near"));
    await changes.make("it is tightened to nothing", () => replace(egress()), ALL_CUT);
    await changes.make("it is loosened", () => replace(egress(toServers)), ALL_KEPT);
    await changes.make("it is deleted", () => drop(egress()), ALL_KEPT);
  });

  test("what selects: labels of a namespace, of the client, of a server; names of ports", async () => {
    const from = (namespaceLabels: object, podLabels: object) => ({
      from: [{ namespaceSelector: { matchLabels: namespaceLabels }, podSelector: { matchLabels: podLabels } }],
    });
    await changes.make("a policy that waits for a label", () => put(ingress(from({ trusted: "yes" }, {}))), ALL_CUT);
    await changes.make("the namespace gets it", () => label("Namespace", "clients", { trusted: "yes" }), ALL_KEPT);
    await changes.make("the namespace loses it", () => label("Namespace", "clients", { trusted: null }), ALL_CUT);
    const ofClient = from({ who: "clients" }, { role: "client" });
    await changes.make("another label is waited for", () => replace(ingress(ofClient)), ALL_CUT);
    await changes.make("the client gets it", () => label("Pod", "clients/client", { role: "client" }), ALL_KEPT);
    await changes.make("the client loses it", () => label("Pod", "clients/client", { role: null }), ALL_CUT);
    await changes.make("a server is not selected any more", () => label("Pod", "servers/far", { app: "x" }), to("far"));
    await changes.make("it is again", () => label("Pod", "servers/far", { app: "server" }), ALL_CUT);
    await changes.make("the port by its name", () => replace(ingress({ ports: byName("serve") })), ALL_KEPT);
    await changes.make("another name", () => replace(ingress({ ports: byName("other") })), ALL_CUT);
    await changes.make(
      "both names",
      () => replace(ingress({ ports: [...byName("other"), ...byName("serve")] })),
      ALL_KEPT,
    );
    await changes.make("the policy goes", () => drop(ingress()), ALL_KEPT);
  });

  test("what is about somebody else keeps every packet", async () => {
    const other = networkPolicy("servers", "other", { podSelector: { matchLabels: { app: "none" } } });
    await changes.make("it comes", () => put(other), ALL_KEPT);
    await changes.make("it goes", () => drop(other), ALL_KEPT);
    const same = networkPolicy("servers", "same", { podSelector: SERVERS, ingress: [{}] });
    await changes.make("one that allows everything comes", () => put(same), ALL_KEPT);
    const stricter = ingress({ ports: both(PORT) });
    await changes.make("one beside it comes", () => put(stricter), ALL_KEPT);
    await changes.make("the first goes, and the other still allows", () => drop(same), ALL_KEPT);
    await changes.make("it goes, too", () => drop(stricter), ALL_KEPT);
  });

  test("a tier goes and comes back", async () => {
    const tier: NewObject = { apiVersion: CALICO, kind: "Tier", metadata: { name: "guard" }, spec: { order: 10 } };
    const guard: NewObject = {
      apiVersion: CALICO,
      kind: "GlobalNetworkPolicy",
      metadata: { name: "guard.deny" },
      spec: { tier: "guard", order: 1, selector: "app == 'server'", types: ["Ingress"], ingress: [{ action: "Deny" }] },
    };
    const all = [tier, guard];
    await changes.make("it comes, and denies", () => all.forEach(put), ALL_CUT);
    await changes.make("it goes", () => [...all].reverse().forEach(drop), ALL_KEPT);
    await changes.make("it comes back", () => all.forEach(put), ALL_CUT);
    const pass = { ...guard, spec: { ...(guard["spec"] as object), ingress: [{ action: "Pass" }] } };
    await changes.make("it passes", () => replace(pass), ALL_KEPT);
    await changes.make("it goes for good", () => [...all].reverse().forEach(drop), ALL_KEPT);
  });

  test("the admin's tier stands before what a namespace allows", async () => {
    const admin = (action: string): NewObject => ({
      apiVersion: ADMIN,
      kind: "ClusterNetworkPolicy",
      metadata: { name: "admin" },
      spec: {
        tier: "Admin",
        priority: 5,
        subject: { namespaces: { matchLabels: { who: "servers" } } },
        ingress: [{ action, from: [{ namespaces: { matchLabels: { who: "clients" } } }] }],
      },
    });
    await changes.make("the namespace allows nothing", () => put(ingress()), ALL_CUT);
    await changes.make("the admin accepts", () => put(admin("Accept")), ALL_KEPT);
    await changes.make("the namespace allows everything", () => replace(ingress({})), ALL_KEPT);
    await changes.make("the admin denies", () => replace(admin("Deny")), ALL_CUT);
    await changes.make("the admin passes", () => replace(admin("Pass")), ALL_KEPT);
    await changes.make("all goes", () => [admin("Pass"), ingress()].forEach(drop), ALL_KEPT);
  });

  /** Ends both agents as a crash would, and waits until they are gone. */
  async function killAgents(): Promise<void> {
    for (const { node } of lab.nodes) {
      const agent = lab.agent(node.name);
      agent?.hold(true);
      agent?.signal("SIGKILL");
      await waitFor("the agent to be gone", () => agent?.isRunning() === false);
    }
  }

  async function startAgents(): Promise<void> {
    for (const { node } of lab.nodes) lab.agent(node.name)?.hold(false);
    await lab.ready(READY_MS);
  }

  test("agents that are killed and come back change nothing, and catch up with what they have missed", async () => {
    await changes.make("a policy that allows the flows", () => put(ingress({ ports: both(PORT) })), ALL_KEPT);
    await changes.make("the agents are killed", killAgents, ALL_KEPT);
    await changes.make("they come back", startAgents, ALL_KEPT);
    await changes.make("the policy denies", () => replace(ingress()), ALL_CUT);
    await changes.make("the agents are killed", killAgents, ALL_CUT);
    await changes.make("they come back", startAgents, ALL_CUT);
    await changes.make("they are killed", killAgents, ALL_CUT);
    await changes.make("while they are away, the policy goes", () => drop(ingress()), ALL_CUT);
    await changes.make("they come back to that", startAgents, ALL_KEPT);
  });
});
