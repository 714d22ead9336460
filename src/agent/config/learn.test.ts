import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { unwrap } from "../../base/result.ts";
import { startTestApi } from "../../cluster/testing.ts";
import { parseConfig } from "./config.ts";
import { learnNetwork } from "./learn.ts";

const directory = mkdtempSync(join(tmpdir(), "twill-learn-"));
after(() => rmSync(directory, { recursive: true, force: true }));

const NET_CONF = { Network: "10.9.0.0/16", Backend: { Type: "vxlan", VNI: 7, Port: 4789, DirectRouting: true } };

const parse = (text: string, base: object = {}) =>
  unwrap(parseConfig(text, { set: new Map(), defaultNodeName: "n", base }));

test("what Flannel was told holds where the configuration says nothing, and while the API is away", async () => {
  const kubeconfig = join(directory, "kubeconfig");
  const text = `kubeconfig: ${kubeconfig}\npaths: {run: ${join(directory, "run")}}\n`;
  {
    await using t = await startTestApi();
    writeFileSync(kubeconfig, t.api.kubeconfig(`https://127.0.0.1:${t.port}`));
    const before = await learnNetwork(parse(text), {});
    assert.deepEqual([before.base, before.from, before.failure], [{}, undefined, undefined]);
    t.api.objects.create({ apiVersion: "v1", kind: "Namespace", metadata: { name: "kube-flannel" } });
    t.api.objects.create({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { namespace: "kube-flannel", name: "kube-flannel-cfg" },
      data: { "net-conf.json": JSON.stringify(NET_CONF) },
    });
    const learned = await learnNetwork(parse(text), {});
    assert.match(learned.differences.join(), /DirectRouting/);
    const config = parse(`${text}tunnel: {port: 9999}\n`, learned.base);
    assert.deepEqual(
      config.network.clusterCidrs.map((c) => c.text),
      ["10.9.0.0/16"],
    );
    assert.deepEqual([config.network.tunnel.vni, config.network.tunnel.port], [7, 9999], "the file counts before");
  }
  const away = await learnNetwork(parse(text), {});
  assert.notEqual(away.failure, undefined);
  assert.equal(away.from, "ConfigMap kube-flannel/kube-flannel-cfg");
  assert.equal(parse(text, away.base).network.tunnel.vni, 7);
});

test("objects from a directory are asked for nothing", async () => {
  const learned = await learnNetwork(parse(`cluster: "dir:${directory}"\n`), {});
  assert.deepEqual(learned, { base: {}, from: undefined, differences: [], failure: undefined });
});
