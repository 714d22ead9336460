/** Sockets that ask for services: given a backend, told what they asked for, or refused at once. */

import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { endSockets } from "../../src/kernel/linux/socket-end.ts";
import { decodeSockReverseKey, IpcacheFlag, ServiceFlag, SockMetric } from "../../src/net/gen/bpf-maps.ts";
import { CLUSTER_IP, HERE, SockBench, whyNoSockets } from "./sock-bench.ts";
import { heard, outcome, received, TEXT, WAYS } from "./sock-way.ts";

let b: SockBench;

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
  afterEach(() => b.clear());
  after(() => b?.[Symbol.dispose]());

  for (const way of WAYS) {
    const ip = CLUSTER_IP[way.family];
    const asked = way.prefix + ip;
    describe(way.name, () => {
      it("connects by TCP to a backend, and the socket believes in the service", () => {
        const { numbers, servers } = b.twoBackends(way.family, "TCP");
        b.service(ip, 80, "TCP", { backends: [numbers[0]!] });
        const fd = b.socket("TCP", way.socket);
        b.addon.connect(fd, asked, 80);
        assert.deepEqual(heard(b, "TCP", servers, 1), [0]);
        assert.deepEqual(b.addon.peerName(fd), { host: asked, port: 80 });
      });

      it("connects by UDP, and is answered by whom it asked", () => {
        const { numbers, servers } = b.twoBackends(way.family, "UDP");
        b.service(ip, 53, "UDP", { backends: [numbers[1]!] });
        const fd = b.socket("UDP", way.socket);
        b.addon.connect(fd, asked, 53);
        b.addon.send(fd, TEXT);
        const question = received(b, servers[1]!);
        assert.deepEqual(b.addon.peerName(fd), { host: asked, port: 53 });
        b.addon.send(servers[1]!, TEXT, question.host, question.port);
        const answer = received(b, fd);
        assert.deepEqual([answer.host, answer.port, String(answer.data)], [asked, 53, "hello"]);
      });

      it("sends without a connection, and is answered by whom it asked", () => {
        const { numbers, servers } = b.twoBackends(way.family, "UDP");
        b.service(ip, 53, "UDP", { backends: [numbers[0]!] });
        const fd = b.socket("UDP", way.socket);
        b.addon.send(fd, TEXT, asked, 53);
        const question = received(b, servers[0]!);
        assert.equal(String(question.data), "hello");
        b.addon.send(servers[0]!, TEXT, question.host, question.port);
        const answer = received(b, fd);
        assert.deepEqual([answer.host, answer.port], [asked, 53]);
      });

      it("goes on as it is where it asks for no service, and is answered under the true name", () => {
        const { servers } = b.twoBackends(way.family, "UDP");
        b.service(ip, 53, "TCP", { backends: [] });
        const fd = b.socket("UDP", way.socket);
        assert.notEqual(
          outcome(() => b.addon.send(fd, TEXT, asked, 53)),
          "ECONNREFUSED",
          "of the other protocol",
        );
        const direct = way.prefix + HERE[way.family][0];
        b.addon.send(fd, TEXT, direct, 5353);
        const question = received(b, servers[0]!);
        b.addon.send(servers[0]!, TEXT, question.host, question.port);
        assert.equal(received(b, fd).host, direct);
        b.removeService(ip, 53, "TCP");
      });

      it("leaves those alone whose sockets were made elsewhere", () => {
        const { numbers } = b.twoBackends(way.family, "TCP");
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
      const { numbers } = b.twoBackends(way.family, "UDP");
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

  describe("node ports", () => {
    const NODE_PORT = 30080;
    for (const [family, any] of [
      [4, "0.0.0.0"],
      [6, "::"],
    ] as const) {
      it(`lead to a backend at the nodes' addresses, and at no others, by IPv${family}`, () => {
        const { numbers, servers } = b.twoBackends(family, "TCP");
        b.service(any, NODE_PORT, "TCP", { backends: [numbers[0]!] });
        const node = HERE[family][2];
        const other = family === 4 ? "192.168.77.12" : "fd00:77::12";
        b.node(node);
        b.node(other, IpcacheFlag.remoteNode);
        for (const address of [node, other]) {
          const fd = b.socket("TCP", family);
          b.addon.connect(fd, address, NODE_PORT);
          assert.deepEqual(heard(b, "TCP", servers, 1), [0]);
          assert.deepEqual(b.addon.peerName(fd), { host: address, port: NODE_PORT });
        }
        for (const address of [HERE[family][1], family === 4 ? "127.0.0.1" : "::1"]) {
          outcome(() => b.addon.connect(b.socket("TCP", family), address, NODE_PORT));
          assert.deepEqual(heard(b, "TCP", servers, 0), [], address);
        }
        b.removeService(any, NODE_PORT, "TCP");
      });
    }
  });

  it("is refused when the set is gone from under the service, or the backend from under the set", () => {
    const { numbers } = b.twoBackends(4, "TCP");
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
    const { numbers, servers } = b.twoBackends(4, "UDP");
    b.service(CLUSTER_IP[4], 53, "UDP", { backends: [numbers[0]!] });
    const fd = b.socket("UDP", 4);
    b.addon.send(fd, TEXT, CLUSTER_IP[4], 53);
    const question = received(b, servers[0]!);
    b.removeService(CLUSTER_IP[4], 53, "UDP");
    assert.equal(
      outcome(() => b.addon.send(fd, TEXT, CLUSTER_IP[4], 53)),
      "ENETUNREACH",
    );
    b.addon.send(servers[0]!, TEXT, question.host, question.port);
    assert.equal(received(b, fd).host, CLUSTER_IP[4]);
  });

  it("counts what it does", () => {
    const { numbers, servers } = b.twoBackends(4, "UDP");
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
    const { host, port } = received(b, servers[0]!);
    b.addon.send(servers[0]!, TEXT, host, port);
    assert.deepEqual(
      grown(() => received(b, loose)),
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
    const { numbers } = b.twoBackends(4, "TCP");
    b.service(CLUSTER_IP[4], 80, "TCP", { backends: numbers });
    assert.equal(
      outcome(() => b.addon.connect(b.socket("TCP", 4), CLUSTER_IP[4], 81)),
      "ENETUNREACH",
    );
  });
});
