import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { readFlannelNetConf, readKubeadmConfig } from "./network-hints.ts";

const flannel = (value: unknown) => readFlannelNetConf(JSON.stringify(value));
const taken = (value: unknown) => {
  const hints = flannel(value);
  assert.ok(hints.ok, JSON.stringify(hints));
  return hints.value;
};

describe("Flannel's net-conf.json", () => {
  test("as its manifest has it", () =>
    assert.deepEqual(taken({ Network: "10.244.0.0/16", EnableNFTables: false, Backend: { Type: "vxlan" } }), {
      clusterCIDRs: ["10.244.0.0/16"],
      differences: [],
    }));

  test("two families, and everything of VXLAN that Twill has", () => {
    const Backend = { Type: "vxlan", VNI: 4096, Port: 4789, MTU: 1400 };
    const network = { Network: "10.1.0.0/16", IPv6Network: "fd01::/48", EnableIPv6: true, Backend };
    assert.deepEqual(taken(network), {
      clusterCIDRs: ["10.1.0.0/16", "fd01::/48"],
      tunnel: { port: 4789, vni: 4096 },
      // What MTU is Flannel's for the packets between nodes: its own device has 50 less.
      mtu: 1350,
      differences: [],
    });
  });

  test("its words for nothing said, and bits of a host", () => {
    const Backend = { Type: "vxlan", Port: 0, MTU: 0 };
    assert.deepEqual(taken({ Network: "10.1.2.3/16", Backend }), { clusterCIDRs: ["10.1.0.0/16"], differences: [] });
  });

  test("between nodes of IPv6 alone VXLAN takes more of the MTU", () => {
    const network = { EnableIPv4: false, EnableIPv6: true, IPv6Network: "fd01::/48" };
    assert.equal(taken({ ...network, Backend: { Type: "vxlan", MTU: 1500 } }).mtu, 1430);
  });

  test("IPv6 counts only where it is switched on, IPv4 unless it is switched off", () => {
    const both = { Network: "10.1.0.0/16", IPv6Network: "fd01::/48", Backend: { Type: "vxlan" } };
    assert.deepEqual(taken(both).clusterCIDRs, ["10.1.0.0/16"]);
    assert.deepEqual(taken({ ...both, EnableIPv4: false, EnableIPv6: true }).clusterCIDRs, ["fd01::/48"]);
  });

  test("what Twill does otherwise is said", () => {
    const direct = { Network: "10.1.0.0/16", Backend: { Type: "vxlan", DirectRouting: true } };
    assert.match(taken(direct).differences.join(), /DirectRouting/);
    const hostGw = taken({ Network: "10.1.0.0/16", Backend: { Type: "host-gw", Port: 1 } });
    assert.deepEqual([hostGw.tunnel, hostGw.differences], [undefined, ['backend "host-gw": Twill uses VXLAN']]);
    assert.match(taken({ Network: "10.1.0.0/16" }).differences.join(), /backend "udp"/);
  });

  for (const [value, message] of [
    [{ Backend: { Type: "vxlan" } }, /^Network: A network is required/],
    [{ Network: "10.1.0.0" }, /^Network: .*10\.1\.0\.0/],
    [{ Network: "10.1.0.0/16", Backend: { Type: "vxlan", VNI: -1 } }, /^Backend\.VNI: -1 is not an integer from 1 to/],
    [
      { Network: "10.1.0.0/16", Backend: { Type: "vxlan", MTU: 600 } },
      /^Backend\.MTU: 600 leaves pods less than 576 bytes/,
    ],
    [[], /^: Expected an object, not a list/],
  ] as const)
    test(`${JSON.stringify(value)} is refused`, () => {
      const hints = flannel(value);
      assert.ok(!hints.ok);
      assert.match(hints.error.map((i) => `${i.path}: ${i.message}`).join("\n"), message);
    });

  test("whatever stands there, it is taken or refused, and nothing throws", () =>
    fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => void readFlannelNetConf(text))));
});

describe("kubeadm's ClusterConfiguration", () => {
  const of = (podSubnet: string) =>
    readKubeadmConfig(
      `apiVersion: kubeadm.k8s.io/v1beta3\nkind: ClusterConfiguration\nnetworking:\n  podSubnet: ${podSubnet}\n`,
    );

  test("one subnet, or one of each family", () => {
    assert.deepEqual(of("10.10.0.0/16"), { ok: true, value: { clusterCIDRs: ["10.10.0.0/16"], differences: [] } });
    assert.deepEqual(of("10.10.0.1/16"), of("10.10.0.0/16"));
    const both = of("10.10.0.0/16,fd10::/56");
    assert.deepEqual(both.ok && both.value?.clusterCIDRs, ["10.10.0.0/16", "fd10::/56"]);
  });

  test("none is nothing", () =>
    assert.deepEqual(readKubeadmConfig("networking:\n  dnsDomain: cluster.local\n"), { ok: true, value: undefined }));

  test("a subnet that is none is refused by name", () => {
    const hints = of("10.10.0.0/99");
    assert.ok(!hints.ok);
    assert.equal(hints.error[0]?.path, "networking.podSubnet");
  });

  test("whatever stands there, nothing throws", () =>
    fc.assert(fc.property(fc.string(), (text) => void readKubeadmConfig(text))));
});
