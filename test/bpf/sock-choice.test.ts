/** Which backend a socket is given: by chance, by a Maglev table, the same again, or the same for all of a client. */

import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { makeNetns, removeNetns } from "../../src/kernel/linux/test-bench.ts";
import { ServiceFlag, SockMetric } from "../../src/net/gen/bpf-maps.ts";
import { CLUSTER_IP, HERE, PORT, type Protocol, SockBench, whyNoSockets } from "./sock-bench.ts";
import { heard, outcome, PROTOCOLS, received, TEXT } from "./sock-way.ts";

const OTHER_IP = "10.96.0.11";

let b: SockBench;

describe("the socket hook's choice", { skip: whyNoSockets() }, () => {
  before(async () => {
    b = await SockBench.open();
  });
  afterEach(() => b.clear());
  after(() => b?.[Symbol.dispose]());

  it("gives connections to all backends by chance", () => {
    const { numbers, servers } = b.twoBackends(4, "TCP");
    b.service(CLUSTER_IP[4], 80, "TCP", { backends: numbers });
    for (let i = 0; i < 64; i++) b.addon.connect(b.socket("TCP", 4), CLUSTER_IP[4], 80);
    const counts = [0, 0];
    for (const i of heard(b, "TCP", servers, 64)) counts[i]!++;
    assert.equal(counts[0]! + counts[1]!, 64);
    // 64 tosses of a coin give less than 8 of one side once in 10^9 runs.
    assert.ok(Math.min(...counts) >= 8, String(counts));
  });

  it("finds every place of a Maglev table by the socket, and one socket the same place", () => {
    const { numbers, servers } = b.twoBackends(4, "UDP");
    const backends = Array.from({ length: 251 }, (_, i) => numbers[i % 2]!);
    b.service(CLUSTER_IP[4], 53, "UDP", { backends, flags: ServiceFlag.maglev });
    for (let i = 0; i < 64; i++) b.addon.send(b.socket("UDP", 4), TEXT, CLUSTER_IP[4], 53);
    assert.deepEqual([...new Set(heard(b, "UDP", servers, 64))], [0, 1]);
    const fd = b.socket("UDP", 4);
    for (let i = 0; i < 16; i++) b.addon.send(fd, TEXT, CLUSTER_IP[4], 53);
    assert.equal(new Set(heard(b, "UDP", servers, 16)).size, 1);
  });

  describe("what a socket without a connection sends", () => {
    /** A socket that has sent once. */
    function talking() {
      const { numbers, servers } = b.twoBackends(4, "UDP");
      const service = b.service(CLUSTER_IP[4], 53, "UDP", { backends: numbers });
      const fd = b.socket("UDP", 4);
      b.addon.send(fd, TEXT, CLUSTER_IP[4], 53);
      const [mine = -1] = heard(b, "UDP", servers, 1);
      const send = (times: number) => {
        for (let i = 0; i < times; i++) b.addon.send(fd, TEXT, CLUSTER_IP[4], 53);
        return [...new Set(heard(b, "UDP", servers, times))];
      };
      return { numbers, service, mine, other: 1 - mine, send };
    }

    it("goes to one backend, also when others come and places in the set change", () => {
      const { numbers, service, mine, other, send } = talking();
      assert.deepEqual(send(16), [mine]);
      const extra = b.backend(HERE[4][0], 9, "UDP");
      const backends = [extra, numbers[other]!, extra, numbers[mine]!];
      b.service(CLUSTER_IP[4], 53, "UDP", { backends }, service);
      assert.deepEqual(send(16), [mine]);
    });

    it("goes to another when that one leaves the service, though it is still one of somebody else's", () => {
      const { numbers, service, other, send } = talking();
      b.service(CLUSTER_IP[4], 53, "UDP", { backends: [numbers[other]!] }, service);
      assert.deepEqual(send(4), [other]);
    });

    for (const [places, where] of [
      [100, "many places"],
      [16_381, "those of a Maglev table"],
    ] as const)
      it(`is kept by who stands elsewhere among ${where}, and by nobody who has left them`, () => {
        const { numbers, service, mine, other, send } = talking();
        const of = (last: number) =>
          Array.from({ length: places }, (_, i) => (i === places - 1 ? numbers[last]! : numbers[other]!));
        b.service(CLUSTER_IP[4], 53, "UDP", { backends: of(mine) }, service);
        assert.deepEqual(send(4), [mine]);
        b.service(CLUSTER_IP[4], 53, "UDP", { backends: of(other) }, service);
        assert.deepEqual(send(4), [other]);
      });

    it("goes to a backend for each service that it asks, so that answers have the right name", () => {
      const { numbers, servers } = b.twoBackends(4, "UDP");
      b.service(CLUSTER_IP[4], 53, "UDP", { backends: numbers });
      b.service(OTHER_IP, 53, "UDP", { backends: numbers });
      for (let i = 0; i < 32; i++) {
        const fd = b.socket("UDP", 4);
        for (const ip of [CLUSTER_IP[4], OTHER_IP]) b.addon.send(fd, TEXT, ip, 53);
        assert.deepEqual(heard(b, "UDP", servers, 2), [0, 1]);
      }
      b.removeService(OTHER_IP, 53, "UDP");
    });

    it("is counted where two services have one backend only: answers have the later one's name", () => {
      const { numbers, servers } = b.twoBackends(4, "UDP");
      for (const ip of [CLUSTER_IP[4], OTHER_IP]) b.service(ip, 53, "UDP", { backends: [numbers[0]!] });
      const fd = b.socket("UDP", 4);
      const before = b.counted(SockMetric.renamed);
      for (const ip of [CLUSTER_IP[4], OTHER_IP]) b.addon.send(fd, TEXT, ip, 53);
      const { host, port } = received(b, servers[0]!);
      b.addon.send(servers[0]!, TEXT, host, port);
      assert.equal(received(b, fd).host, OTHER_IP);
      assert.equal(b.counted(SockMetric.renamed), before + 1);
      b.removeService(OTHER_IP, 53, "UDP");
    });

    it("is chosen anew for another service of the same address", () => {
      const { numbers, other, send } = talking();
      b.service(CLUSTER_IP[4], 53, "UDP", { backends: [numbers[other]!] });
      assert.deepEqual(send(4), [other]);
    });
  });

  describe("session affinity", () => {
    const STICKY = { flags: ServiceFlag.affinity, affinitySeconds: 3600 } as const;

    function connections(protocol: Protocol, servers: readonly number[], count: number, netns?: string): Set<number> {
      for (let i = 0; i < count; i++) {
        const fd = b.socket(protocol, 4, true, netns);
        if (protocol === "TCP") b.addon.connect(fd, CLUSTER_IP[4], 80);
        else b.addon.send(fd, TEXT, CLUSTER_IP[4], 53);
      }
      return new Set(heard(b, protocol, servers, count));
    }

    for (const protocol of PROTOCOLS)
      it(`keeps all sockets of a namespace with one backend, by ${protocol}`, () => {
        const { numbers, servers } = b.twoBackends(4, protocol);
        b.service(CLUSTER_IP[4], PORT[protocol][0], protocol, { ...STICKY, backends: numbers });
        assert.equal(connections(protocol, servers, 32).size, 1);
      });

    it("chooses another when the backend leaves the service, and stays with that", () => {
      const { numbers, servers } = b.twoBackends(4, "TCP");
      const service = b.service(CLUSTER_IP[4], 80, "TCP", { ...STICKY, backends: numbers });
      const [mine = -1] = connections("TCP", servers, 1);
      b.service(CLUSTER_IP[4], 80, "TCP", { ...STICKY, backends: [numbers[1 - mine]!] }, service);
      assert.deepEqual(connections("TCP", servers, 4), new Set([1 - mine]));
      b.service(CLUSTER_IP[4], 80, "TCP", { ...STICKY, backends: numbers }, service);
      assert.deepEqual(connections("TCP", servers, 32), new Set([1 - mine]));
    });

    it("ends with its time", () => {
      const { numbers, servers } = b.twoBackends(4, "TCP");
      b.service(CLUSTER_IP[4], 80, "TCP", { ...STICKY, affinitySeconds: 0, backends: numbers });
      assert.equal(connections("TCP", servers, 64).size, 2);
    });

    it("is another one of another namespace", () => {
      const { numbers } = b.twoBackends(4, "TCP");
      b.service(CLUSTER_IP[4], 80, "TCP", { ...STICKY, backends: numbers });
      const netns = makeNetns();
      try {
        // Nothing is there to connect to: what counts is what the hook has noted.
        for (const place of [b.netns, netns])
          outcome(() => b.addon.connect(b.socket("TCP", 4, true, place), CLUSTER_IP[4], 80));
        const clients = new Set<string>();
        for (
          let key = b.addon.mapNextKey(b.map("service_affinity"));
          key;
          key = b.addon.mapNextKey(b.map("service_affinity"), key)
        )
          clients.add(key.subarray(0, 16).toString("hex"));
        assert.ok(clients.size >= 2);
      } finally {
        b.closeSockets();
        removeNetns(netns);
      }
    });
  });
});
