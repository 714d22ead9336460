/** Sockets of the node itself: processes of the machine's first network, of which nothing leaves the loopback here. */

import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { ServiceFlag } from "../../src/net/gen/bpf-maps.ts";
import { SockBench, whyNoSockets } from "./sock-bench.ts";
import { firstNetwork, heard, outcome } from "./sock-way.ts";

const FIRST = firstNetwork() ?? "";
const PORT = 30_081;

let b: SockBench;

function whyNoNode(): string | false {
  return whyNoSockets() || (FIRST === "" && "this is a container with a network of its own");
}

/** Who listens at a loopback of the machine, at a port of its own. */
function listener(family: 4 | 6) {
  const address = family === 4 ? "127.0.0.1" : "::1";
  const fd = b.socket("TCP", family, false, FIRST);
  b.addon.bind(fd, address, 0);
  b.addon.listen(fd, 8);
  return { address, fd, port: b.addon.socketName(fd).port };
}

describe("sockets of the node itself", { skip: whyNoNode() }, () => {
  before(async () => {
    b = await SockBench.open();
  });
  afterEach(() => b.closeSockets());
  after(() => b?.[Symbol.dispose]());

  /** How often who asks there reaches the listener. @param count how often that should be */
  const reaches = (count: number, fd: number, family: 4 | 6, to: string, netns = FIRST) => {
    outcome(() => b.addon.connect(b.socket("TCP", family, true, netns), to, PORT));
    return heard(b, "TCP", [fd], count).length;
  };

  it("find node ports at 127.0.0.1, which is also 0.0.0.0 for Linux, and at no other loopback; pods find none", () => {
    const { address, fd, port } = listener(4);
    const backend = b.backend(address, port);
    for (const any of ["0.0.0.0", "::"]) b.service(any, PORT, "TCP", { backends: [backend] });
    for (const [family, to] of [
      [4, "127.0.0.1"],
      [4, "0.0.0.0"],
      [6, "::ffff:127.0.0.1"],
    ] as const) {
      assert.equal(reaches(1, fd, family, to), 1, to);
      assert.equal(reaches(0, fd, family, to, b.netns), 0, `${to} of a pod`);
    }
    for (const to of ["::1", "::"]) assert.equal(reaches(0, fd, 6, to), 0, to);
    for (const any of ["0.0.0.0", "::"]) b.removeService(any, PORT, "TCP");
  });

  for (const [family, any] of [
    [4, "0.0.0.0"],
    [6, "::"],
  ] as const)
    it(`find host ports at the loopback, also under the address of none; pods find none: IPv${family}`, () => {
      const { address, fd, port } = listener(family);
      b.hostPort(any, PORT, "TCP", address, port);
      for (const to of [address, any]) {
        assert.equal(reaches(1, fd, family, to), 1, to);
        assert.equal(reaches(0, fd, family, to, b.netns), 0, `${to} of a pod`);
      }
      b.removeHostPort(any, PORT, "TCP");
    });

  it("are refused where nobody of the node is behind a service of policy Local: no program sees their packets", () => {
    const flags = ServiceFlag.insideLocal;
    for (const [family, ip] of [
      [4, "10.96.0.10"],
      [6, "fd00:96::10"],
    ] as const) {
      b.service(ip, PORT, "UDP", { backends: [], flags });
      // By UDP, which sends nothing as long as it is only connected.
      const connect = (netns: string) => outcome(() => b.addon.connect(b.socket("UDP", family, true, netns), ip, PORT));
      assert.equal(connect(FIRST), "ECONNREFUSED");
      // A pod's are left to the programs of its link; this namespace has no way to there.
      assert.equal(connect(b.netns), "ENETUNREACH");
      b.removeService(ip, PORT, "UDP");
    }
  });
});
