/** Packets and sockets find services in the same tables: whatever stands there, also halfway through a change, both answer the same. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { addr, addrFromBytes } from "../../src/net/addr.ts";
import {
  decodeSockReverseKey,
  encodeBackend,
  encodeBackendKey,
  encodeServiceSlot,
  encodeServiceSlotKey,
  IpcacheFlag,
  ServiceFlag,
  SockMetric,
} from "../../src/net/gen/bpf-maps.ts";
import { dissect } from "./dissect.ts";
import { frame, PROTO, TCP_FLAG, type Transport, tcp, udp } from "./frames.ts";
import { enterEmptyNetns, NODE } from "./node.ts";
import { Plane } from "./plane.ts";
import {
  BACK,
  backendNumber,
  FRONT,
  type Frontend,
  frontendKey,
  NODE_PORT,
  putFrontend,
  SERVED,
  SERVICE,
  type Tables,
} from "./service-way.ts";
import { type Protocol, SockBench, whyNoSockets } from "./sock-bench.ts";
import { outcome, TEXT } from "./sock-way.ts";
import { bothFamilies, familyOf, type Word } from "./wire-way.ts";

const { podA, podC, remote, far, node, remoteNode, outside } = NODE;
const { affinity, insideLocal, outsideLocal, maglev, sources } = ServiceFlag;
const ZERO = { v4: "0.0.0.0", v6: "::" } as const;
/** So often each state is asked: that one of three backends is left out by chance happens in a hundred million of such series once. */
const TIMES = 48;

let plane: Plane;
let bench: SockBench;

/** What is asked for, and the entry where it is found. */
const PLACES = {
  "a cluster IP": { at: SERVICE, found: SERVICE, port: FRONT },
  "a node port": { at: node, found: ZERO, port: NODE_PORT },
  "another node's node port": { at: remoteNode, found: ZERO, port: NODE_PORT },
} as const;

/** Tables of either. */
type Rows = Tables & Pick<Plane, "remove" | "lookForHostPorts">;

/** A state of a service's tables, and all answers that it may give; a backend's answer is its address. */
interface State {
  readonly service: (f: Word) => Omit<Frontend, "addr" | "port">;
  /** What is not (yet, or any more) as the service's entry says. */
  readonly spoil?: (t: Rows) => void;
  readonly answers: (f: Word) => readonly string[];
}

const all = (f: Word) => [{ addr: podC[f] }, { addr: remote[f] }, { addr: far[f] }];
const hole = (t: Rows, ...indices: number[]) => {
  for (const index of indices) t.remove("service_slots", encodeServiceSlotKey({ set: 11, index }));
};
const gone = (t: Rows, ...places: number[]) => {
  for (const i of places) t.remove("backends", encodeBackendKey({ number: backendNumber(i) }));
};

const STATES: Readonly<Record<string, State>> = {
  "backends answer": { service: (f) => ({ inside: all(f) }), answers: (f) => all(f).map((b) => b.addr) },
  "with Maglev, too": {
    service: (f) => ({ inside: all(f), flags: maglev }),
    answers: (f) => all(f).map((b) => b.addr),
  },
  "nobody is there": { service: () => ({}), answers: () => ["refused"] },
  "nobody of this node is there": { service: () => ({ flags: insideLocal }), answers: () => ["silence"] },
  "nobody of this node is there for the wire": {
    service: () => ({ flags: ServiceFlag.outside | outsideLocal }),
    answers: () => ["refused"],
  },
  "sources are for the wire": {
    service: (f) => ({ inside: [{ addr: podC[f] }], flags: ServiceFlag.outside | sources }),
    answers: (f) => [podC[f]],
  },
  "a place that has gone is another's turn": {
    service: (f) => ({ inside: all(f) }),
    spoil: (t) => hole(t, 1, 2),
    answers: (f) => [podC[f]],
  },
  "with Maglev as well": {
    service: (f) => ({ inside: all(f), flags: maglev }),
    spoil: (t) => hole(t, 1, 2),
    answers: (f) => [podC[f]],
  },
  "a backend that has gone is another's turn": {
    service: (f) => ({ inside: all(f) }),
    spoil: (t) => gone(t, 1, 2),
    answers: (f) => [podC[f]],
  },
  "all places have gone": {
    service: (f) => ({ inside: all(f) }),
    spoil: (t) => hole(t, 0, 1, 2),
    answers: () => ["refused"],
  },
  "all backends have gone": {
    service: (f) => ({ inside: all(f) }),
    spoil: (t) => gone(t, 0, 1, 2),
    answers: () => ["refused"],
  },
  "a backend of the other family is none": {
    service: (f) => ({ inside: [{ addr: podC[f === "v4" ? "v6" : "v4"] }] }),
    answers: () => ["refused"],
  },
};

/** How a packet of pod A is answered. */
function byPacket(f: Word, to: string, transport: Transport): string {
  const { metrics, frame: out } = plane.run("from_pod", frame(podA[f], to, transport));
  if (metrics.includes("drop_no_backend")) return metrics.includes("rejected") ? "refused" : "dropped";
  if (metrics.includes("drop_service_local")) return "silence";
  if (!metrics.includes("service_forward")) return "as it is";
  const { dst, dstPort } = dissect(out);
  assert.equal(dstPort, BACK);
  return dst;
}

/** How a socket is answered. */
function bySocket(ask: () => void): string {
  bench.forget("sock_reverse");
  const [passed, left] = [SockMetric.noService, SockMetric.local].map((m) => bench.counted(m));
  const said = outcome(ask);
  if (said === "ECONNREFUSED") return "refused";
  if (bench.counted(SockMetric.noService) !== passed) return "as it is";
  // To the packets, which fall silent: see there.
  if (bench.counted(SockMetric.local) !== left) return "silence";
  const key = bench.addon.mapNextKey(bench.map("sock_reverse"));
  if (key === undefined) return said;
  const given = decodeSockReverseKey(key);
  assert.equal(given.port, BACK);
  return addrFromBytes(given.addr).text;
}

/** All answers that somebody gets who asks often: packets from other ports each time, sockets that are new. */
type Way = (f: Word, to: string, port: number) => string[];

const packets =
  (transport: (from: number, to: number) => Transport): Way =>
  (f, to, port) =>
    Array.from({ length: TIMES }, (_, i) => byPacket(f, to, transport(5000 + i, port)));
const sockets =
  (protocol: Protocol, ask: (fd: number, to: string, port: number) => void): Way =>
  (f, to, port) =>
    bench.sockets(TIMES, protocol, familyOf(f)).map((fd) => bySocket(() => ask(fd, to, port)));

const WAYS: Readonly<Record<string, Way>> = {
  "packets of TCP": packets((from, to) => tcp(from, to, { flags: TCP_FLAG.syn })),
  "packets of UDP": packets((from, to) => udp(from, to)),
  "sockets of TCP": sockets("TCP", (fd, to, port) => bench.addon.connect(fd, to, port)),
  "sockets of UDP": sockets("UDP", (fd, to, port) => bench.addon.connect(fd, to, port)),
  datagrams: sockets("UDP", (fd, to, port) => bench.addon.send(fd, TEXT, to, port)),
};

function ask(way: Way, f: Word, to: string, port: number): string[] {
  plane.forget("ct_tcp", "ct_other", "service_flows");
  plane.forgetAnswers();
  const answers = new Set(way(f, to, port));
  bench.closeSockets();
  return [...answers].sort();
}

/** The same rows for both. */
function both(fill: (t: Rows) => void): void {
  plane.setUp();
  plane.putConfig({ flags: SERVED });
  bench.forget("services", "service_slots", "backends", "service_affinity", "sock_choices", "host_ports");
  for (const t of [plane, bench]) fill(t);
}

describe("what packets and sockets are answered", { skip: whyNoSockets() }, () => {
  before(async () => {
    bench = await SockBench.open();
    enterEmptyNetns();
    plane = new Plane();
    for (const f of bothFamilies) {
      bench.node(node[f], IpcacheFlag.localNode);
      bench.node(remoteNode[f], IpcacheFlag.remoteNode);
    }
  });
  after(() => {
    plane?.close();
    bench?.[Symbol.dispose]();
  });

  for (const [word, way] of Object.entries(WAYS))
    for (const f of bothFamilies)
      for (const [place, { at, found, port }] of Object.entries(PLACES))
        describe(`${word} to ${place}, ${f}`, () => {
          const put = (t: Tables, service: Omit<Frontend, "addr" | "port">) =>
            putFrontend(t, { ...service, addr: found[f], port });
          for (const [name, state] of Object.entries(STATES))
            it(name, () => {
              both((t) => {
                put(t, state.service(f));
                state.spoil?.(t);
              });
              assert.deepEqual(ask(way, f, at[f], port), [...state.answers(f)].sort());
            });

          const sticky = { flags: affinity, affinitySeconds: 3600, inside: all(f) };
          const addresses: readonly string[] = all(f).map((b) => b.addr);
          /** The only backend that answers, by its place. */
          const only = () => {
            const answers = ask(way, f, at[f], port);
            assert.equal(answers.length, 1, String(answers));
            return addresses.indexOf(answers[0] ?? "");
          };
          it("with session affinity one answers, and another one when that has left the service", () => {
            both((t) => put(t, sticky));
            const index = only();
            const slot = encodeServiceSlot({ backend: backendNumber((index + 1) % addresses.length) });
            for (const t of [plane, bench]) t.put("service_slots", encodeServiceSlotKey({ set: 11, index }), slot);
            const next = only();
            assert.notEqual(next, index);
            both((t) => put(t, { ...sticky, affinitySeconds: 0 }));
            assert.deepEqual(ask(way, f, at[f], port), [...addresses].sort(), "and all when its time is over");
          });
          it("with session affinity another one answers, too, when that has gone and its place has not", () => {
            let index = 0;
            while (index === 0) {
              both((t) => put(t, sticky));
              index = only();
            }
            for (const t of [plane, bench]) gone(t, index);
            assert.notEqual(only(), index);
          });
        });

  for (const [word, way] of Object.entries(WAYS))
    for (const f of bothFamilies)
      it(`${word}, ${f}: a port of nodes is none at other addresses, nor at that which stands for all of them`, () => {
        both((t) => putFrontend(t, { addr: ZERO[f], port: NODE_PORT, inside: all(f) }));
        for (const to of [outside[f], ZERO[f]]) assert.deepEqual(ask(way, f, to, NODE_PORT), ["as it is"], to);
        both((t) => {
          const pod = encodeBackend({ addr: addr(podC[f]).bytes, port: BACK, protocol: 0 });
          for (const protocol of [PROTO.tcp, PROTO.udp])
            t.put("host_ports", frontendKey({ addr: ZERO[f], port: NODE_PORT, protocol }), pod);
          t.lookForHostPorts(true);
        });
        assert.deepEqual(ask(way, f, node[f], NODE_PORT), [podC[f]]);
        for (const to of [remoteNode[f], outside[f], ZERO[f]])
          assert.deepEqual(ask(way, f, to, NODE_PORT), ["as it is"], to);
      });
});
