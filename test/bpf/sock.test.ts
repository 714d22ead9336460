/** Sockets that ask for services: given a backend, told what they asked for, or refused at once. */

import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { endSockets } from "../../src/kernel/linux/socket-end.ts";
import { makeNetns, removeNetns } from "../../src/kernel/linux/test-bench.ts";
import { decodeSockReverseKey, IpcacheFlag, ServiceFlag, SockMetric } from "../../src/net/gen/bpf-maps.ts";
import { HERE, type Protocol, SockBench, whyNoSockets } from "./sock-bench.ts";
import { heard, outcome, PROTOCOLS, TEXT, WAYS } from "./sock-way.ts";

const CLUSTER_IP = { 4: "10.96.0.10", 6: "fd00:96::10" } as const;
const OTHER_IP = "10.96.0.11";
const PORT = { TCP: [80, 8080], UDP: [53, 5353] } as const;

let b: SockBench;

/** Backends at the first two addresses of a family, and servers there. */
function twoBackends(family: 4 | 6, protocol: Protocol) {
  const [, port] = PORT[protocol];
  const addresses = HERE[family].slice(0, 2);
  return {
    numbers: addresses.map((a) => b.backend(a, port, protocol)),
    servers: addresses.map((a) => b.server(protocol, a, port)),
  };
}

/** Of all sockets that were ever given a backend. */
function cookies(): bigint[] {
  const map = b.map("sock_reverse");
  const found: bigint[] = [];
  for (let key = b.addon.mapNextKey(map); key !== undefined; key = b.addon.mapNextKey(map, key))
    found.push(decodeSockReverseKey(key).cookie);
  return found;
}

describe("the socket hook", { skip: whyNoSockets() }, () => {
  before(async () => {
    b = await SockBench.open();
  });
  afterEach(() => {
    b.closeSockets();
    for (const family of [4, 6] as const)
      for (const protocol of PROTOCOLS) b.removeService(CLUSTER_IP[family], PORT[protocol][0], protocol);
  });
  after(() => b?.[Symbol.dispose]());

  for (const way of WAYS) {
    const ip = CLUSTER_IP[way.family];
    const asked = way.prefix + ip;
    describe(way.name, () => {
      it("connects by TCP to a backend, and the socket believes in the service", () => {
        const { numbers, servers } = twoBackends(way.family, "TCP");
        b.service(ip, 80, "TCP", { backends: [numbers[0]!] });
        const fd = b.socket("TCP", way.socket);
        b.addon.connect(fd, asked, 80);
        assert.deepEqual(heard(b, "TCP", servers), [0]);
        assert.deepEqual(b.addon.peerName(fd), { host: asked, port: 80 });
      });

      it("connects by UDP, and is answered by whom it asked", () => {
        const { numbers, servers } = twoBackends(way.family, "UDP");
        b.service(ip, 53, "UDP", { backends: [numbers[1]!] });
        const fd = b.socket("UDP", way.socket);
        b.addon.connect(fd, asked, 53);
        b.addon.send(fd, TEXT);
        const question = b.addon.receive(servers[1]!);
        assert.deepEqual(b.addon.peerName(fd), { host: asked, port: 53 });
        b.addon.send(servers[1]!, TEXT, question!.host, question!.port);
        const answer = b.addon.receive(fd);
        assert.deepEqual([answer?.host, answer?.port, String(answer?.data)], [asked, 53, "hello"]);
      });

      it("sends without a connection, and is answered by whom it asked", () => {
        const { numbers, servers } = twoBackends(way.family, "UDP");
        b.service(ip, 53, "UDP", { backends: [numbers[0]!] });
        const fd = b.socket("UDP", way.socket);
        b.addon.send(fd, TEXT, asked, 53);
        const question = b.addon.receive(servers[0]!);
        assert.equal(String(question?.data), "hello");
        b.addon.send(servers[0]!, TEXT, question!.host, question!.port);
        const answer = b.addon.receive(fd);
        assert.deepEqual([answer?.host, answer?.port], [asked, 53]);
      });

      it("goes on as it is where it asks for no service, and is answered under the true name", () => {
        const { servers } = twoBackends(way.family, "UDP");
        b.service(ip, 53, "TCP", { backends: [] });
        const fd = b.socket("UDP", way.socket);
        assert.notEqual(
          outcome(() => b.addon.send(fd, TEXT, asked, 53)),
          "ECONNREFUSED",
          "of the other protocol",
        );
        const direct = way.prefix + HERE[way.family][0];
        b.addon.send(fd, TEXT, direct, 5353);
        const question = b.addon.receive(servers[0]!);
        b.addon.send(servers[0]!, TEXT, question!.host, question!.port);
        assert.equal(b.addon.receive(fd)?.host, direct);
        b.removeService(ip, 53, "TCP");
      });

      it("leaves those alone whose sockets were made elsewhere", () => {
        const { numbers } = twoBackends(way.family, "TCP");
        b.service(ip, 80, "TCP", { backends: numbers });
        b.service(ip, 53, "UDP", { backends: numbers });
        const tcp = b.socket("TCP", way.socket, false);
        assert.equal(
          outcome(() => b.addon.connect(tcp, asked, 80)),
          "ENETUNREACH",
        );
        const udp = b.socket("UDP", way.socket, false);
        assert.equal(
          outcome(() => b.addon.send(udp, TEXT, asked, 53)),
          "ENETUNREACH",
        );
      });

      it("refuses at once where nobody is there, however it asks", () => {
        b.service(ip, 80, "TCP", { backends: [] });
        b.service(ip, 53, "UDP", { backends: [] });
        assert.equal(
          outcome(() => b.addon.connect(b.socket("TCP", way.socket), asked, 80)),
          "ECONNREFUSED",
        );
        assert.equal(
          outcome(() => b.addon.connect(b.socket("UDP", way.socket), asked, 53)),
          "ECONNREFUSED",
        );
        assert.equal(
          outcome(() => b.addon.send(b.socket("UDP", way.socket), TEXT, asked, 53)),
          "ECONNREFUSED",
        );
      });

      it("lets go on what a node has no backend of its own for: the packets are dropped where they come by", () => {
        b.service(ip, 80, "TCP", { backends: [], flags: ServiceFlag.insideLocal });
        b.service(ip, 53, "UDP", { backends: [], flags: ServiceFlag.insideLocal });
        assert.equal(
          outcome(() => b.addon.connect(b.socket("TCP", way.socket), asked, 80)),
          "ENETUNREACH",
        );
        assert.equal(
          outcome(() => b.addon.send(b.socket("UDP", way.socket), TEXT, asked, 53)),
          "ENETUNREACH",
        );
      });
    });
  }

  for (const way of WAYS)
    it(`ends a connected socket of UDP by its cookie, and no other: ${way.name}`, () => {
      const ip = CLUSTER_IP[way.family];
      const { numbers } = twoBackends(way.family, "UDP");
      b.service(ip, 53, "UDP", { backends: [numbers[0]!] });
      const before = new Set(cookies());
      const [mine, other] = [b.socket("UDP", way.socket), b.socket("UDP", way.socket)] as const;
      b.addon.connect(mine, way.prefix + ip, 53);
      const [cookie = 0n] = cookies().filter((c) => !before.has(c));
      b.addon.connect(other, way.prefix + ip, 53);
      const loose = b.socket("UDP", way.socket);
      b.addon.send(loose, TEXT, way.prefix + ip, 53);
      assert.equal(endSockets(b.netns, new Set([1n << 60n])), 0);
      assert.equal(endSockets(b.netns, new Set([cookie])), 1);
      assert.equal(
        outcome(() => b.addon.receive(mine)),
        "ECONNABORTED",
      );
      for (const fd of [other, loose]) assert.equal(b.addon.receive(fd), undefined);
      // Who is not connected is never ended, whatever is asked for.
      assert.equal(endSockets(b.netns, new Set(cookies())), 1);
      assert.equal(b.addon.receive(loose), undefined);
      assert.equal(endSockets("/proc/nowhere", new Set([cookie])), 0);
    });

  it("gives connections to all backends by chance", () => {
    const { numbers, servers } = twoBackends(4, "TCP");
    b.service(CLUSTER_IP[4], 80, "TCP", { backends: numbers });
    for (let i = 0; i < 64; i++) b.addon.connect(b.socket("TCP", 4), CLUSTER_IP[4], 80);
    const counts = [0, 0];
    for (const i of heard(b, "TCP", servers)) counts[i]!++;
    assert.equal(counts[0]! + counts[1]!, 64);
    // 64 tosses of a coin give less than 8 of one side once in 10^9 runs.
    assert.ok(Math.min(...counts) >= 8, String(counts));
  });

  it("finds every place of a Maglev table by the socket, and one socket the same place", () => {
    const { numbers, servers } = twoBackends(4, "UDP");
    const backends = Array.from({ length: 251 }, (_, i) => numbers[i % 2]!);
    b.service(CLUSTER_IP[4], 53, "UDP", { backends, flags: ServiceFlag.maglev });
    for (let i = 0; i < 64; i++) b.addon.send(b.socket("UDP", 4), TEXT, CLUSTER_IP[4], 53);
    assert.deepEqual([...new Set(heard(b, "UDP", servers))], [0, 1]);
    const fd = b.socket("UDP", 4);
    for (let i = 0; i < 16; i++) b.addon.send(fd, TEXT, CLUSTER_IP[4], 53);
    assert.equal(new Set(heard(b, "UDP", servers)).size, 1);
  });

  describe("what a socket without a connection sends", () => {
    /** A socket that has sent once. */
    function talking() {
      const { numbers, servers } = twoBackends(4, "UDP");
      const service = b.service(CLUSTER_IP[4], 53, "UDP", { backends: numbers });
      const fd = b.socket("UDP", 4);
      b.addon.send(fd, TEXT, CLUSTER_IP[4], 53);
      const [mine = -1] = heard(b, "UDP", servers);
      const send = (times: number) => {
        for (let i = 0; i < times; i++) b.addon.send(fd, TEXT, CLUSTER_IP[4], 53);
        return [...new Set(heard(b, "UDP", servers))];
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
      const { numbers, servers } = twoBackends(4, "UDP");
      b.service(CLUSTER_IP[4], 53, "UDP", { backends: numbers });
      b.service(OTHER_IP, 53, "UDP", { backends: numbers });
      for (let i = 0; i < 32; i++) {
        const fd = b.socket("UDP", 4);
        for (const ip of [CLUSTER_IP[4], OTHER_IP]) b.addon.send(fd, TEXT, ip, 53);
        const asked = heard(b, "UDP", servers);
        assert.deepEqual(asked.sort(), [0, 1]);
      }
      b.removeService(OTHER_IP, 53, "UDP");
    });

    it("is counted where two services have one backend only: answers have the later one's name", () => {
      const { numbers, servers } = twoBackends(4, "UDP");
      for (const ip of [CLUSTER_IP[4], OTHER_IP]) b.service(ip, 53, "UDP", { backends: [numbers[0]!] });
      const fd = b.socket("UDP", 4);
      const before = b.counted(SockMetric.renamed);
      for (const ip of [CLUSTER_IP[4], OTHER_IP]) b.addon.send(fd, TEXT, ip, 53);
      const { host, port } = b.addon.receive(servers[0]!)!;
      b.addon.send(servers[0]!, TEXT, host, port);
      assert.equal(b.addon.receive(fd)?.host, OTHER_IP);
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
      return new Set(heard(b, protocol, servers));
    }

    for (const protocol of PROTOCOLS)
      it(`keeps all sockets of a namespace with one backend, by ${protocol}`, () => {
        const { numbers, servers } = twoBackends(4, protocol);
        b.service(CLUSTER_IP[4], PORT[protocol][0], protocol, { ...STICKY, backends: numbers });
        assert.equal(connections(protocol, servers, 32).size, 1);
      });

    it("chooses another when the backend leaves the service, and stays with that", () => {
      const { numbers, servers } = twoBackends(4, "TCP");
      const service = b.service(CLUSTER_IP[4], 80, "TCP", { ...STICKY, backends: numbers });
      const [mine = -1] = connections("TCP", servers, 1);
      b.service(CLUSTER_IP[4], 80, "TCP", { ...STICKY, backends: [numbers[1 - mine]!] }, service);
      assert.deepEqual(connections("TCP", servers, 4), new Set([1 - mine]));
      b.service(CLUSTER_IP[4], 80, "TCP", { ...STICKY, backends: numbers }, service);
      assert.deepEqual(connections("TCP", servers, 32), new Set([1 - mine]));
    });

    it("ends with its time", () => {
      const { numbers, servers } = twoBackends(4, "TCP");
      b.service(CLUSTER_IP[4], 80, "TCP", { ...STICKY, affinitySeconds: 0, backends: numbers });
      assert.equal(connections("TCP", servers, 64).size, 2);
    });

    it("is another one of another namespace", () => {
      const { numbers } = twoBackends(4, "TCP");
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

  describe("node ports", () => {
    const NODE_PORT = 30080;
    for (const [family, any] of [
      [4, "0.0.0.0"],
      [6, "::"],
    ] as const) {
      it(`lead to a backend at the nodes' addresses, and at no others, by IPv${family}`, () => {
        const { numbers, servers } = twoBackends(family, "TCP");
        b.service(any, NODE_PORT, "TCP", { backends: [numbers[0]!] });
        const node = HERE[family][2];
        const other = family === 4 ? "192.168.77.12" : "fd00:77::12";
        b.node(node);
        b.node(other, IpcacheFlag.remoteNode);
        for (const address of [node, other]) {
          const fd = b.socket("TCP", family);
          b.addon.connect(fd, address, NODE_PORT);
          assert.deepEqual(heard(b, "TCP", servers), [0]);
          assert.deepEqual(b.addon.peerName(fd), { host: address, port: NODE_PORT });
        }
        for (const address of [HERE[family][1], family === 4 ? "127.0.0.1" : "::1"]) {
          outcome(() => b.addon.connect(b.socket("TCP", family), address, NODE_PORT));
          assert.deepEqual(heard(b, "TCP", servers), [], address);
        }
        b.removeService(any, NODE_PORT, "TCP");
      });
    }
  });

  it("is refused when the set is gone from under the service, or the backend from under the set", () => {
    const { numbers } = twoBackends(4, "TCP");
    b.service(CLUSTER_IP[4], 80, "TCP", { backends: [0] });
    assert.equal(
      outcome(() => b.addon.connect(b.socket("TCP", 4), CLUSTER_IP[4], 80)),
      "ECONNREFUSED",
    );
    b.service(CLUSTER_IP[4], 80, "TCP", { backends: [numbers[0]!] });
    b.removeBackend(numbers[0]!);
    assert.equal(
      outcome(() => b.addon.connect(b.socket("TCP", 4), CLUSTER_IP[4], 80)),
      "ECONNREFUSED",
    );
  });

  it("forgets a service that is removed, and answers to what was asked before keep their name", () => {
    const { numbers, servers } = twoBackends(4, "UDP");
    b.service(CLUSTER_IP[4], 53, "UDP", { backends: [numbers[0]!] });
    const fd = b.socket("UDP", 4);
    b.addon.send(fd, TEXT, CLUSTER_IP[4], 53);
    const question = b.addon.receive(servers[0]!);
    b.removeService(CLUSTER_IP[4], 53, "UDP");
    assert.equal(
      outcome(() => b.addon.send(fd, TEXT, CLUSTER_IP[4], 53)),
      "ENETUNREACH",
    );
    b.addon.send(servers[0]!, TEXT, question!.host, question!.port);
    assert.equal(b.addon.receive(fd)?.host, CLUSTER_IP[4]);
  });

  it("counts what it does", () => {
    const { numbers, servers } = twoBackends(4, "UDP");
    const names = Object.keys(SockMetric).filter((n) => n !== "count") as Exclude<keyof typeof SockMetric, "count">[];
    const counts = () => Object.fromEntries(names.map((n) => [n, b.counted(SockMetric[n])]));
    /** What grew by one. */
    const grown = (run: () => unknown) => {
      const before = counts();
      outcome(run);
      const after = counts();
      return names.filter((n) => after[n] === before[n]! + 1);
    };
    const service = b.service(CLUSTER_IP[4], 53, "UDP", { backends: [numbers[0]!] });
    const [connected, loose] = [b.socket("UDP", 4), b.socket("UDP", 4)];
    const ask = () => b.addon.send(loose, TEXT, CLUSTER_IP[4], 53);
    assert.deepEqual(
      grown(() => b.addon.connect(connected, CLUSTER_IP[4], 53)),
      ["connected"],
    );
    assert.deepEqual(grown(ask), ["sent"]);
    const { host, port } = b.addon.receive(servers[0]!)!;
    b.addon.send(servers[0]!, TEXT, host, port);
    assert.deepEqual(
      grown(() => b.addon.receive(loose)),
      ["received"],
    );
    assert.deepEqual(
      grown(() => b.addon.peerName(connected)),
      ["named"],
    );
    assert.deepEqual(
      grown(() => b.addon.send(loose, TEXT, HERE[4][1], 9)),
      ["noService"],
    );
    b.service(CLUSTER_IP[4], 53, "UDP", { backends: [] }, service);
    assert.deepEqual(grown(ask), ["refused"]);
    b.service(CLUSTER_IP[4], 53, "UDP", { backends: [0] }, service);
    assert.deepEqual(grown(ask), ["refused", "hole"]);
    b.service(CLUSTER_IP[4], 53, "UDP", { backends: [], flags: ServiceFlag.insideLocal }, service);
    assert.deepEqual(grown(ask), ["local"]);
  });

  it("does not know a service by another one's port", () => {
    const { numbers } = twoBackends(4, "TCP");
    b.service(CLUSTER_IP[4], 80, "TCP", { backends: numbers });
    assert.equal(
      outcome(() => b.addon.connect(b.socket("TCP", 4), CLUSTER_IP[4], 81)),
      "ENETUNREACH",
    );
  });
});
