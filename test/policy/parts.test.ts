/**
 * What belongs to a flow without looking like it: fragments, which have no ports but the first one, and ICMP errors, which
 * are about a packet inside of them. They share what policy says of their flow.
 */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { NewObject } from "../../src/cluster/embedded/types.ts";
import { loadAddon } from "../../src/kernel/linux/addon.ts";
import { isPodReady } from "../../src/lab/controllers/loop.ts";
import { ECHO_IMAGE } from "../../src/lab/kubelet/image.ts";
import { type Lab, startLab } from "../../src/lab/lab.ts";
import type { Endpoint } from "../../src/lab/probe/matrix.ts";
import { type ProbeResult, type ProbeSpec, probe } from "../../src/lab/probe/probe.ts";
import { ipBatch } from "../../src/lab/underlay.ts";
import { checksum } from "../bpf/checksums.ts";
import { frame, icmp, icmp6, PROTO, udp } from "../bpf/frames.ts";
import { Capture } from "../fixture/capture.ts";
import { hexAddress } from "../fixture/hammer.ts";
import { waitFor } from "../fixture/sandbox.ts";

const READY_MS = 120_000;
/** For what is allowed: it comes at once, or the test has failed. */
const ALLOWED_MS = 20_000;
/** For what is denied: nothing is lost on this wire, so that what has not come by then does not come. */
const DENIED_MS = 600;
/** Allowed and served, denied and served, allowed and closed, denied and closed. */
const PORT = { allowed: 7000, denied: 7001, closed: 7002, deniedClosed: 7003 } as const;
/** Of the way to the outside: less than pods know of. */
const NARROW_MTU = 1300;

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_DGRAM = 2;
const SOCK_RAW = 3;
const families = [
  { family: 4, i: 0 },
  { family: 6, i: 1 },
] as const;

function policy(direction: "Ingress" | "Egress", name: string, ports: readonly number[]): NewObject {
  const rule = { ports: ports.flatMap((port) => ["TCP", "UDP"].map((protocol) => ({ protocol, port }))) };
  const rules = direction === "Ingress" ? { ingress: [rule] } : { egress: [rule] };
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { namespace: direction === "Ingress" ? "servers" : "clients", name },
    spec: { podSelector: {}, policyTypes: [direction], ...rules },
  };
}

const IN = policy("Ingress", "in", [PORT.allowed, PORT.closed]);

describe("fragments and ICMP errors under policy", () => {
  let lab: Lab;
  let client: Endpoint;
  let servers: readonly Endpoint[];

  before(async () => {
    lab = await startLab({ name: "test-policy-parts", nodes: 2 });
    await lab.ready(READY_MS);
    for (const name of ["servers", "clients"])
      lab.objects.create({ apiVersion: "v1", kind: "Namespace", metadata: { name } });
    lab.objects.create(IN);
    const ports = [PORT.allowed, PORT.denied].flatMap((containerPort) =>
      ["TCP", "UDP"].map((protocol) => ({ containerPort, protocol })),
    );
    for (const [namespace, name, nodeName] of [
      ["clients", "client", "node-1"],
      ["servers", "near", "node-1"],
      ["servers", "far", "node-2"],
    ] as const)
      lab.objects.create({
        apiVersion: "v1",
        kind: "Pod",
        metadata: { namespace, name, labels: { app: name } },
        spec: { nodeName, containers: [{ name: "c", image: ECHO_IMAGE, ports }] },
      });
    for (const namespace of ["clients", "servers"])
      await lab.until(
        { apiVersion: "v1", kind: "Pod", namespace },
        (l) => l.length > 0 && l.every(isPodReady),
        READY_MS,
        `the pods of ${namespace}`,
      );
    const find = (name: string) => {
      const found = lab.endpoints().find((e) => e.name === name);
      assert.ok(found !== undefined, name);
      return found;
    };
    client = find("clients/client");
    servers = [find("servers/near"), find("servers/far")];
    // The policy is in force: what it denies is.
    for (const server of servers)
      for (const to of server.addresses)
        await waitFor("the policy", async () => (await ask(to, { port: PORT.denied })).verdict === "timeout", READY_MS);
  });
  after(() => lab?.[Symbol.asyncDispose]());

  function ask(to: string, spec: Partial<ProbeSpec> & Pick<ProbeSpec, "port">): Promise<ProbeResult> {
    const isDenied = spec.port === PORT.denied || spec.port === PORT.deniedClosed;
    const timeoutMs = isDenied ? DENIED_MS : ALLOWED_MS;
    return probe({ netns: client.netns, protocol: "UDP", to, timeoutMs, ...spec });
  }

  const everyServer = () =>
    servers.flatMap((server) => families.map((f) => ({ ...f, server, to: server.addresses[f.i] ?? "" })));

  test("a datagram in fragments arrives by the port of its first one, or nothing of it does", async () => {
    for (const { server, to, i } of everyServer())
      for (const sizeBytes of [1_300, 4_000, 20_000]) {
        const allowed = await ask(to, { port: PORT.allowed, sizeBytes, fragment: "allowed" });
        assert.equal(allowed.verdict, "ok", `${sizeBytes} bytes to ${to}: ${JSON.stringify(allowed)}`);
        const from = hexAddress(client.addresses[i] ?? "");
        let frames = 0;
        using capture = new Capture(
          server.netns,
          () => {},
          (bytes) => {
            if (bytes.toString("hex").includes(from)) frames++;
          },
        );
        const denied = await ask(to, { port: PORT.denied, sizeBytes, fragment: "allowed" });
        assert.equal(denied.verdict, "timeout", `${sizeBytes} bytes to ${to}: ${JSON.stringify(denied)}`);
        capture.drain();
        assert.equal(frames, 0, `${frames} frames of a denied datagram of ${sizeBytes} bytes came to ${to}`);
      }
  });

  test("the answer of a closed port comes where the port is allowed, and only there", async () => {
    for (const { to } of everyServer())
      for (const protocol of ["TCP", "UDP"] as const) {
        const closed = await ask(to, { port: PORT.closed, protocol });
        assert.equal(closed.verdict, "refused", `${protocol} to ${to}: ${JSON.stringify(closed)}`);
        const denied = await ask(to, { port: PORT.deniedClosed, protocol });
        assert.equal(denied.verdict, "timeout", `${protocol} to ${to}: ${JSON.stringify(denied)}`);
      }
  });

  /** A flow of datagrams that its client takes errors of; `error` makes the server say that nobody is there. */
  async function openFlow(server: Endpoint, i: 0 | 1, port: number) {
    const addon = loadAddon();
    const [from = "", to = ""] = [client.addresses[i], server.addresses[i]];
    const family = i === 0 ? AF_INET : AF_INET6;
    const fd = addon.socket(client.netns, family, SOCK_DGRAM, 0);
    addon.bind(fd, from, 0);
    addon.connect(fd, to, port);
    const source = addon.socketName(fd).port;
    const raw = addon.socket(server.netns, family, SOCK_RAW, i === 0 ? PROTO.icmp : PROTO.icmp6);
    return {
      send: () => addon.send(fd, new TextEncoder().encode("hello")),
      error() {
        const quoted = frame(from, to, udp(source, port)).slice(14);
        const bytes = i === 0 ? icmp(3, 3, [0, 0, 0, 0], quoted).bytes : icmp6(1, 4, [0, 0, 0, 0], quoted).bytes;
        // IPv6's are summed up by the kernel.
        if (i === 0) new DataView(bytes.buffer).setUint16(2, checksum(bytes));
        addon.send(raw, bytes, from, 0);
      },
      /** Whether an error has come since the last call. */
      hasError(): boolean {
        try {
          while (addon.receive(fd) !== undefined);
          return false;
        } catch (error) {
          assert.match(String(error), /ECONNREFUSED/);
          return true;
        }
      },
      [Symbol.dispose]() {
        addon.close(fd);
        addon.close(raw);
      },
    };
  }

  test("an ICMP error about a flow passes as long as the flow is allowed", async () => {
    for (const { server, i } of everyServer()) {
      using flow = await openFlow(server, i, PORT.allowed);
      using other = await openFlow(server, i, PORT.closed);
      const comes = async (of: typeof flow) => {
        of.send();
        of.error();
        return waitFor("the error", () => of.hasError(), ALLOWED_MS);
      };
      assert.ok(await comes(flow));
      // The flow is denied from here on: its port is taken from the policy.
      lab.objects.update(policy("Ingress", "in", [PORT.closed]));
      const to = server.addresses[i] ?? "";
      await waitFor(
        "the policy",
        async () => (await ask(to, { port: PORT.allowed, timeoutMs: DENIED_MS })).verdict === "timeout",
        READY_MS,
      );
      flow.hasError();
      for (let n = 0; n < 5; n++) flow.error();
      // What comes after it, comes: the first one would have been there.
      assert.ok(await comes(other));
      assert.ok(!flow.hasError(), `an error about a denied flow came from ${server.name}`);
      lab.objects.update(IN);
      await waitFor(
        "the policy",
        async () => (await ask(to, { port: PORT.allowed, timeoutMs: DENIED_MS })).verdict === "ok",
        READY_MS,
      );
      assert.ok(await comes(flow));
    }
  });

  test("an ICMP error about a flow that never was is not let in", async () => {
    for (const { server, i } of everyServer()) {
      using never = await openFlow(server, i, PORT.denied);
      using other = await openFlow(server, i, PORT.closed);
      never.send();
      for (let n = 0; n < 5; n++) never.error();
      other.send();
      other.error();
      assert.ok(await waitFor("the other error", () => other.hasError(), ALLOWED_MS));
      assert.ok(!never.hasError(), `an error about a denied flow came from ${server.name}`);
    }
  });

  test("a narrow way to the outside is found out by flows that are allowed, though policy allows no ICMP", async () => {
    lab.objects.create(policy("Egress", "out", [PORT.allowed]));
    const { v4, v6 } = lab.topology.outside;
    const outside = { name: "outside", netns: lab.underlay.outside.netns, addresses: [v4, v6] };
    for (const port of [PORT.allowed, PORT.denied])
      for (const protocol of ["TCP", "UDP"] as const) await lab.responder.serve(outside, { port, protocol });
    await ipBatch(lab.underlay.wire, [`link set out mtu ${NARROW_MTU}`]);
    await ipBatch(lab.underlay.outside, [`link set eth0 mtu ${NARROW_MTU}`]);
    for (const to of outside.addresses) {
      await waitFor("the policy", async () => (await ask(to, { port: PORT.denied })).verdict === "timeout", READY_MS);
      const big = { sizeBytes: 1_380, fragment: "never" } as const;
      const denied = await ask(to, { port: PORT.denied, ...big });
      assert.equal(denied.verdict, "timeout", `UDP to ${to}: ${JSON.stringify(denied)}`);
      const tcp = await ask(to, { port: PORT.allowed, protocol: "TCP", sizeBytes: 20_000 });
      assert.equal(tcp.verdict, "ok", `TCP to ${to}: ${JSON.stringify(tcp)}`);
      // It has learned from an error, which UDP hears of as well.
      const allowed = await ask(to, { port: PORT.allowed, ...big });
      assert.equal(allowed.reason, "EMSGSIZE", `UDP to ${to}: ${JSON.stringify(allowed)}`);
    }
  });
});
