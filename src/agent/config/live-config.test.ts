import assert from "node:assert/strict";
import { test } from "node:test";
import { formatIssues } from "../../base/issue.ts";
import { unwrap } from "../../base/result.ts";
import { parseClusterConfiguration, parseNodeConfiguration } from "../../model/configuration.ts";
import { createInterner } from "../../model/intern.ts";
import { configInput, readConfig } from "./config.ts";
import { configKeys } from "./keys.ts";
import { type Layer, layersFor, settingsIssues } from "./layers.ts";
import { type ConfigRecipe, LiveConfig } from "./live-config.ts";
import { configSchema } from "./schema.ts";
import { isLive, NAMED_KEYS, whereOf } from "./scope.ts";

const interner = createInterner();
const ofCluster = (spec: object) =>
  unwrap(parseClusterConfiguration({ metadata: { name: "default" }, spec }, interner));
const ofNodes = (name: string, spec: object) => unwrap(parseNodeConfiguration({ metadata: { name }, spec }, interner));

function recipe(text: string, set: Readonly<Record<string, string>> = {}, base: object = {}): ConfigRecipe {
  const about = { set: new Map(Object.entries(set)), defaultNodeName: "n1", base };
  return { defaultNodeName: "n1", inputWith: (over) => configInput(text, { ...about, over }) };
}

function live(r: ConfigRecipe, layers: readonly Layer[] = [], before: readonly Layer[] = []): LiveConfig {
  return new LiveConfig(r, unwrap(readConfig(unwrap(r.inputWith([])), "n1")), layers, before);
}

const cluster = (settings: object): Layer => ({
  subject: "ClusterConfiguration default",
  kind: "cluster",
  settings: settings as Layer["settings"],
});
const node = (name: string, settings: object): Layer => ({
  subject: `NodeConfiguration ${name}`,
  kind: "node",
  settings: settings as Layer["settings"],
});

test("every key that the lists name is a key or a section", () => {
  const paths = configKeys(configSchema).map((k) => k.path);
  for (const key of NAMED_KEYS)
    assert.ok(
      paths.some((p) => p === key || p.startsWith(`${key}.`)),
      key,
    );
  assert.ok(paths.some((p) => isLive(p)) && paths.some((p) => !isLive(p)));
  assert.deepEqual(
    [whereOf("paths.run"), whereOf("tunnel.vni"), whereOf("tunnel.shortcut")],
    ["file", "cluster", "node"],
  );
});

test("defaults, what was learned, file, cluster, node, command line: the later counts", () => {
  const r = recipe(
    "mtu: 1400\nresyncSeconds: 20\nlog: {level: warn}",
    { "log.level": "error" },
    { mtu: 1300, tunnel: { vni: 7 } },
  );
  const c = live(r);
  assert.deepEqual([c.config.network.mtuBytes, c.config.network.tunnel.vni, c.config.resyncMs], [1400, 7, 20_000]);
  const layers = [
    cluster({
      mtu: 1350,
      resyncSeconds: 30,
      log: { level: "debug" },
      policy: { reject: true },
      nodeAddress: { ipv4: "interface=eth*,ens.*" },
    }),
    node("a", { resyncSeconds: 40 }),
    node("b", { resyncSeconds: 50 }),
  ];
  assert.ok(c.use(layers));
  assert.deepEqual([c.config.network.mtuBytes, c.config.resyncMs, c.config.logLevel], [1350, 50_000, "error"]);
  assert.equal(c.config.network.rejectsDenied, true);
  assert.equal(c.config.network.tunnel.vni, 7, "what nobody speaks of stays");
  const { config } = c;
  assert.equal(c.use(structuredClone(layers)), false, "the same again is no change");
  assert.equal(c.config, config);
  assert.ok(c.use([]), "what is taken away is as it was");
  assert.deepEqual([c.config.network.mtuBytes, c.config.resyncMs], [1400, 20_000]);
});

test("a key that is read at the start waits, everything else of the object does not", () => {
  const c = live(recipe("maps: {ct_tcp: 1024}"));
  assert.ok(c.use([cluster({ maps: { ct_tcp: 2048, nat: 4096 }, mtu: 1400, ipam: { coolDownSeconds: 30 } })]));
  assert.equal(c.config.network.mtuBytes, 1400);
  assert.deepEqual([...c.config.mapSizes], [["ct_tcp", 1024]]);
  assert.deepEqual(c.waits, ["maps.ct_tcp", "maps.nat"], "a default that is said is nothing new");
  const next = live(recipe("maps: {ct_tcp: 1024}"), c.layers);
  assert.deepEqual([...next.config.mapSizes].sort(), [
    ["ct_tcp", 2048],
    ["nat", 4096],
  ]);
  assert.deepEqual(next.waits, []);
  next.use([]);
  assert.deepEqual(next.waits, ["maps.ct_tcp", "maps.nat"], "taking it back waits as well");
});

test("an object that is wrong changes nothing: its last good version goes on, over a restart too", () => {
  const c = live(recipe(""));
  c.use([cluster({ mtu: 1400 })]);
  assert.equal(c.use([cluster({ mtu: 99, tunel: {} })]), false);
  assert.equal(c.config.network.mtuBytes, 1400);
  assert.match(
    formatIssues(c.issues),
    /ClusterConfiguration default: mtu: 99.*\nClusterConfiguration default: tunel: Unknown key "tunel": did you mean "tunnel"\?/,
  );
  const next = live(recipe(""), [cluster({ mtu: 99 })], c.layers);
  assert.equal(next.config.network.mtuBytes, 1400);
  assert.equal(next.issues.length, 1);
  assert.equal(
    live(recipe(""), [cluster({ mtu: 99 })]).config.network.mtuBytes,
    "auto",
    "one that never was good says nothing",
  );
  c.use([cluster({ mtu: 1420 })]);
  assert.deepEqual([c.config.network.mtuBytes, c.issues], [1420, []]);
});

test("what is only wrong together with the file is refused by this node, and said", () => {
  const c = live(recipe("nodeMaskSize: {ipv4: 28}"));
  assert.equal(c.use([cluster({ clusterCIDRs: ["10.0.0.0/29"], mtu: 1400 })]), false);
  assert.match(formatIssues(c.issues), /^nodeMaskSize\.ipv4: Node prefix length 28 of "10\.0\.0\.0\/29"/);
  assert.equal(c.config.network.mtuBytes, "auto", "all of it or nothing");
});

const MISPLACED: readonly (readonly [Layer, RegExp])[] = [
  [cluster({ nodeName: "x" }), /^nodeName: "nodeName" belongs to one machine/],
  [cluster({ paths: { run: "/x" } }), /^paths\.run: .*belongs to one machine/],
  [node("a", { tunnel: { vni: 3 } }), /^tunnel\.vni: .*has to be the same on all nodes/],
  [node("a", { clusterCIDRs: ["10.0.0.0/8"] }), /^clusterCIDRs: .*has to be the same/],
];
for (const [layer, expected] of MISPLACED)
  test(`${layer.subject} may not set ${JSON.stringify(layer.settings)}`, () =>
    assert.match(formatIssues(settingsIssues(layer)), expected));

test("a node has what is for all, then what selects it by label, then what names it", () => {
  const objects = {
    cluster: [ofCluster({ mtu: 1400 })],
    nodes: [
      ofNodes("z-gpu", { nodeSelector: { matchLabels: { gpu: "yes" } }, config: { mtu: 1 } }),
      ofNodes("b-named", { nodes: ["n1", "n9"], config: {} }),
      ofNodes("a-named", { nodes: ["n1"], nodeSelector: { matchLabels: { gpu: "yes" } }, config: {} }),
      ofNodes("c-all", { nodeSelector: {}, config: {} }),
      ofNodes("d-others", { nodes: ["n2"], config: {} }),
      ofNodes("e-not", { nodeSelector: { matchExpressions: [{ key: "gpu", operator: "DoesNotExist" }] }, config: {} }),
    ],
  };
  const subjects = (name: string, labels: Record<string, string> | undefined) =>
    layersFor(objects, name, labels === undefined ? undefined : new Map(Object.entries(labels))).map(
      (l) => l.subject.split(" ")[1],
    );
  assert.deepEqual(subjects("n1", { gpu: "yes" }), ["default", "c-all", "z-gpu", "a-named", "b-named"]);
  assert.deepEqual(subjects("n2", {}), ["default", "c-all", "e-not", "d-others"]);
  assert.deepEqual(
    subjects("n1", undefined),
    ["default", "a-named", "b-named"],
    "labels that nobody knows select nothing",
  );
});

const REFUSED: readonly (readonly [string, object, RegExp])[] = [
  ["another name", { metadata: { name: "mine" }, spec: {} }, /metadata\.name: "mine" has no effect: .*"default"/],
  ["no object", { metadata: { name: "default" }, spec: [] }, /spec: \[\] is not an object/],
  ["too large", { metadata: { name: "default" }, spec: { a: "x".repeat(70_000) } }, /at most 65536 are allowed/],
];
for (const [name, object, expected] of REFUSED)
  test(`a ClusterConfiguration is refused: ${name}`, () => {
    const r = parseClusterConfiguration(object, interner);
    assert.match(r.ok ? "" : formatIssues(r.error), expected);
  });

const NODE_REFUSED: readonly (readonly [string, object, RegExp])[] = [
  ["for nobody", { config: {} }, /spec: Names of nodes or a nodeSelector are required/],
  ["nothing to set", { nodes: ["a"] }, /spec\.config: A value is required/],
  [
    "unknown field",
    { nodes: ["a"], config: {}, confg: 1 },
    /spec\.confg: Unknown field "confg": did you mean "config"/,
  ],
];
for (const [name, spec, expected] of NODE_REFUSED)
  test(`a NodeConfiguration is refused: ${name}`, () => {
    const r = parseNodeConfiguration({ metadata: { name: "x" }, spec }, interner);
    assert.match(r.ok ? "" : formatIssues(r.error), expected);
  });
