/** Sockets that ask for ports of the node that lead to its pods. */

import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { IpcacheFlag } from "../../src/net/gen/bpf-maps.ts";
import { HERE, SockBench, whyNoSockets } from "./sock-bench.ts";
import { heard, outcome, PROTOCOLS, TEXT, WAYS } from "./sock-way.ts";

let b: SockBench;

describe("host ports at the socket hook", { skip: whyNoSockets() }, () => {
  before(async () => {
    b = await SockBench.open();
  });
  afterEach(() => b.closeSockets());
  after(() => b?.[Symbol.dispose]());

  const PORT = 30_082;
  for (const way of WAYS) {
    const any = way.family === 4 ? "0.0.0.0" : "::";
    const [pod, , node] = HERE[way.family];
    const other = way.family === 4 ? "192.168.77.12" : "fd00:77::12";
    for (const at of [any, node])
      for (const protocol of PROTOCOLS)
        it(`${protocol}: of ${at}: at the node's address, and at nobody else's: ${way.name}`, () => {
          b.node(node);
          b.node(other, IpcacheFlag.remoteNode);
          const server = b.server(protocol, pod, PORT);
          b.hostPort(at, PORT, protocol, pod, PORT);
          const fd = b.socket(protocol, way.socket);
          const reaches = (from: number, address: string, count = 0) => {
            outcome(() => b.addon.connect(from, way.prefix + address, PORT));
            if (protocol === "UDP") outcome(() => b.addon.send(from, TEXT));
            return heard(b, protocol, [server], count).length;
          };
          assert.equal(reaches(fd, node, 1), 1);
          assert.deepEqual(b.addon.peerName(fd), { host: way.prefix + node, port: PORT });
          for (const address of [other, HERE[way.family][1], way.family === 4 ? "127.0.0.1" : "::1"])
            assert.equal(reaches(b.socket(protocol, way.socket), address), 0, address);
          b.removeHostPort(at, PORT, protocol);
          assert.equal(reaches(b.socket(protocol, way.socket), node), 0, "closed");
        });
    it(`a service that has the port counts first: ${way.name}`, () => {
      const server = b.server("TCP", HERE[way.family][1], 8080);
      const backend = b.backend(HERE[way.family][1], 8080);
      b.node(node);
      b.hostPort(any, PORT, "TCP", pod, PORT);
      b.service(any, PORT, "TCP", { backends: [backend] });
      b.addon.connect(b.socket("TCP", way.socket), way.prefix + node, PORT);
      assert.deepEqual(heard(b, "TCP", [server], 1), [0]);
      b.removeService(any, PORT, "TCP");
      b.removeHostPort(any, PORT, "TCP");
    });
  }
});
