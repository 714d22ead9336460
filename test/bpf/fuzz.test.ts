/**
 * Hostile packets: whatever comes in, every program ends with one of its verdicts, forwards only what its own rules allow,
 * and breaks no checksum that was right.
 */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import fc from "fast-check";
import { ConfigFlag, Metric, ServiceFlag } from "../../src/net/gen/bpf-maps.ts";
import { dissect } from "./dissect.ts";
import { echo, frame, icmpError, ipPacket, payload, raw, sctp, type Transport, tcp, udp } from "./frames.ts";
import { enterEmptyNetns, makeUnderlay, NODE } from "./node.ts";
import { Plane, whyNot } from "./plane.ts";
import { BALANCER, putFrontend, SERVED, SERVICE } from "./service-way.ts";
import type { Program, Ran } from "./test-run.ts";

const PROGRAMS: readonly Program[] = ["from_pod", "from_host", "from_tunnel", "from_wire", "to_wire"];
const { podA, podB, remote, remoteNode, outside, node, router } = NODE;
/** The likely ones several times: most packets of two addresses drawn at random would be nobody's. */
const likely = (f: "v4" | "v6") =>
  [podA, podB, remote, podA, remote, podA, podB, remote, outside, node].map((x) => x[f]);
const ADDRESSES: Readonly<Record<4 | 6, readonly string[]>> = {
  4: [...likely("v4"), router.v4, "224.0.0.1", "255.255.255.255", "169.254.1.1", "0.0.0.0"],
  6: [...likely("v6"), router.v6, "ff02::1", "fe80::1", "::", "::1"],
};
const OPTIONS = { tunnel: { from: NODE.remoteNode.v4 } };

/** Programs that give pods only what is to a pod, whose packets may be cut up at will. */
const family = fc.constantFrom(4 as const, 6 as const);

function transport(f: 4 | 6): fc.Arbitrary<Transport> {
  const port = fc.constantFrom(0, 1, 53, 80, 8472, 10_250, 20_000, 65_535);
  const data = fc.integer({ min: 0, max: 60 }).map(payload);
  const options = fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 40 });
  return fc.oneof(
    fc
      .tuple(port, port, fc.integer({ min: 0, max: 255 }), options, data)
      .map(([s, d, flags, o, b]) => tcp(s, d, { flags, options: o, data: b })),
    fc.tuple(port, port, data, fc.boolean()).map(([s, d, b, sum]) => udp(s, d, b, sum)),
    fc.tuple(port, fc.boolean(), data).map(([id, isReply, b]) => echo(f, id, isReply, b)),
    fc.tuple(port, port).map(([s, d]) => sctp(s, d)),
    fc.tuple(fc.integer({ min: 0, max: 255 }), fc.uint8Array({ maxLength: 64 })).map(([p, b]) => raw(p, b)),
    fc
      .tuple(
        fc.constantFrom(...ADDRESSES[f]),
        fc.constantFrom(...ADDRESSES[f]),
        port,
        port,
        fc.integer({ min: 0, max: 80 }),
      )
      .map(([s, d, sp, dp, keep]) => icmpError(f, ipPacket(s, d, udp(sp, dp)), keep)),
  );
}

/** @param from who sends @param to who gets it; addresses by family @param body what */
const between = (
  from: typeof ADDRESSES,
  to: typeof ADDRESSES,
  body: (f: 4 | 6) => fc.Arbitrary<Transport> = transport,
) =>
  family.chain((f) =>
    fc
      .record({
        src: fc.constantFrom(...from[f]),
        dst: fc.constantFrom(...to[f]),
        body: body(f),
        ttl: fc.constantFrom(0, 1, 2, 64, 255),
        fragment: fc.option(
          fc.record({ id: fc.integer({ min: 0, max: 3 }), offset: fc.integer({ min: 0, max: 3 }), more: fc.boolean() }),
          { nil: undefined },
        ),
        extensions: fc.array(fc.constantFrom(0, 43, 60), { maxLength: 8 }),
      })
      .map(({ src, dst, body, ttl, fragment, extensions }) =>
        frame(src, dst, body, { ttl, extensions, ...(fragment === undefined ? {} : { fragment }) }),
      ),
  );

const anybody = between(ADDRESSES, ADDRESSES);
const pick = (...who: readonly { readonly v4: string; readonly v6: string }[]) => ({
  4: who.map((x) => x.v4),
  6: who.map((x) => x.v6),
});
/** What asks for services and what comes from another node: two addresses drawn at random seldom do. */
const question = () =>
  fc
    .tuple(fc.constantFrom(tcp, udp, sctp), fc.integer({ min: 1, max: 65_535 }), fc.constantFrom(53, 80, 20_000))
    .map(([make, from, to]) => make(from, to));
const asking = between(pick(podA, outside), pick(SERVICE, BALANCER, node), question);
const incoming = between(pick(remote, remoteNode), pick(podA, podB, node));
const plausible = fc.oneof(
  { weight: 4, arbitrary: anybody },
  { weight: 1, arbitrary: asking },
  { weight: 1, arbitrary: incoming },
);

/** A plausible frame with some bytes overwritten and its end cut off. */
const damaged = fc
  .tuple(
    plausible,
    fc.array(fc.tuple(fc.integer({ min: 12, max: 120 }), fc.integer({ min: 0, max: 255 })), { maxLength: 6 }),
    fc.integer({ min: 15, max: 200 }),
  )
  .map(([bytes, changes, keep]) => {
    const out = bytes.slice(0, Math.max(15, keep));
    for (const [at, value] of changes) if (at < out.length) out[at] = value;
    return out;
  });

/** Services of every kind of backend at some of the addresses, and one that nobody is behind. */
function putServices(plane: Plane): void {
  for (const f of ["v4", "v6"] as const) {
    const backends = [podA, podB, remote, node, remoteNode, outside].map((x) => ({ addr: x[f], port: 53 }));
    const flags = ServiceFlag.outside;
    putFrontend(plane, { addr: SERVICE[f], port: 80, inside: backends });
    putFrontend(plane, { addr: SERVICE[f], port: 53, inside: [] });
    putFrontend(plane, { addr: BALANCER[f], port: 80, flags: flags | ServiceFlag.dsr, outside: backends });
    putFrontend(plane, { addr: BALANCER[f], port: 53, flags, inside: backends, outside: backends });
    putFrontend(plane, { addr: f === "v4" ? "0.0.0.0" : "::", port: 20_000, flags, outside: backends });
  }
  plane.putConfig({ flags: SERVED & ~ConfigFlag.noShortcut });
}

/** TEST_RUN itself refuses what is not even an IP header. */
function runOrRefused(plane: Plane, program: Program, bytes: Uint8Array) {
  // What comes from the wire is addressed to the node: the device that TEST_RUN says it comes by has the address zero.
  const data = program === "from_wire" ? new Uint8Array([0, 0, 0, 0, 0, 0, ...bytes.slice(6)]) : bytes;
  try {
    return plane.runQuick(program, data, OPTIONS);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EINVAL") return undefined;
    throw error;
  }
}

/** The frame that the pod sent, without the headers that the shortcut put in front. What answers from the wire has none. */
function innermost(ran: Omit<Ran, "metrics">): Uint8Array {
  return ran.verdict === "redirect" && ran.ifindex === NODE.wire ? ran.frame.slice(50) : ran.frame;
}

for (const hasServices of [false, true])
  describe(`hostile packets ${hasServices ? "with" : "without"} services`, { skip: whyNot() }, () => {
    let plane: Plane;
    before(() => {
      enterEmptyNetns();
      makeUnderlay();
      plane = new Plane();
      plane.setUp();
      plane.allowShortcut();
      if (hasServices) putServices(plane);
    });
    after(() => plane.close());

    for (const program of PROGRAMS) {
      it(`${program}: noise ends in a verdict`, () => {
        let runs = 0;
        fc.assert(
          fc.property(fc.oneof(damaged, fc.uint8Array({ minLength: 15, maxLength: 200 })), (bytes) => {
            if (runOrRefused(plane, program, bytes) !== undefined) runs++;
          }),
          { numRuns: 2000 },
        );
        assert.ok(runs > 500, `only ${runs} frames were accepted by TEST_RUN`);
      });

      it(`${program}: what is forwarded has right checksums`, () => {
        let forwarded = 0;
        fc.assert(
          fc.property(plausible, (bytes) => {
            const before = dissect(bytes);
            const ran = runOrRefused(plane, program, bytes);
            if (ran === undefined || ran.verdict === "drop") return;
            forwarded++;
            if (before.wrongSums.length > 0) return;
            assert.deepEqual(dissect(ran.frame).wrongSums, []);
            assert.deepEqual(dissect(innermost(ran)).wrongSums, []);
          }),
          { numRuns: 1500 },
        );
        assert.ok(forwarded > 20, `only ${forwarded} frames were forwarded`);
      });
    }

    it("from_pod never lets another address than the pod's own out", () => {
      // A pod that is its own backend sees the gateway, and what it answers comes from the service.
      const served = hasServices ? [router, SERVICE, BALANCER].flatMap((x) => [x.v4, x.v6]) : [];
      const own: ReadonlySet<string> = new Set([podA.v4, podA.v6, ...served]);
      let forwarded = 0;
      fc.assert(
        fc.property(fc.oneof(plausible, damaged), (bytes) => {
          const ran = runOrRefused(plane, "from_pod", bytes);
          if (ran === undefined || ran.verdict === "drop") return;
          const out = dissect(innermost(ran));
          // An answer of the gateway goes back to where the question came from.
          if (ran.verdict === "redirect" && ran.ifindex === podA.ifindex) return;
          forwarded++;
          assert.ok(own.has(out.src), `let out ${out.src}`);
        }),
        { numRuns: 2000 },
      );
      assert.ok(forwarded > 20, `only ${forwarded} frames were forwarded`);
    });

    it(`services ${hasServices ? "had" : "had no"} part in it`, () => {
      assert.equal((plane.counters().get(Metric.serviceForward) ?? 0n) > 0n, hasServices);
    });
  });
