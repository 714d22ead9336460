/** Two real clients judge the embedded API: the kubectl on PATH and Debian's 1.20. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { after, before, describe, test } from "node:test";
import type { Fields } from "../../src/cluster/embedded/fields.ts";
import type { ExecRequest, ExecSession, KubeletStreams } from "../../src/cluster/embedded/types.ts";
import { eventually, startTestApi, type TestApi } from "../../src/cluster/testing.ts";
import { debianKubectl, type Kubectl, kubectlOnPath, type Output, runKubectl } from "./kubectl.ts";

/** Runs the command right here: what is tested is the way to it and back. */
function run(request: ExecRequest): ExecSession {
  const [file = "", ...args] = request.command;
  const child = spawn(file, args, { stdio: "pipe" });
  if (!request.stdin) child.stdin.end();
  return {
    stdin: request.stdin ? child.stdin : undefined,
    stdout: child.stdout,
    stderr: request.tty ? undefined : child.stderr,
    exit: new Promise((resolve) => {
      child.once("error", (e) => resolve({ error: e.message }));
      child.once("close", (code) => resolve({ code: code ?? 137 }));
    }),
    resize() {},
    kill: () => void child.kill("SIGKILL"),
  };
}

const kubelet: KubeletStreams = {
  exec: async (request) => run(request),
  logs: async (request) => Readable.from(request.tailLines === 1 ? ["last\n"] : ["first\n", "last\n"]),
};

const MANIFEST = `
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec:
  containers: [{name: c, image: twill.dev/echo, ports: [{containerPort: 80}]}]
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: api, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec: {containers: [{name: c, image: "img:1"}]}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: things, kind: Thing, shortNames: [th]}
  versions:
  - name: v1
    served: true
    storage: true
    additionalPrinterColumns: [{name: Size, type: integer, jsonPath: .spec.size}]
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer, maximum: 9}}}}}}
`;

const onPath = kubectlOnPath();
const debian = debianKubectl();
const found: [string, Kubectl | string][] = [
  ["the kubectl on PATH", onPath ?? "there is no kubectl on PATH"],
  ["Debian's kubectl 1.20", debian],
];

for (const [name, kubectl] of found) {
  if (typeof kubectl === "string") test(name, { skip: kubectl }, () => {});
  else describe(`${name} (${kubectl.version})`, () => suite(kubectl));
}

function suite(kubectl: Kubectl): void {
  let t: TestApi;
  let home: string;
  let kubeconfig: string;
  before(async () => {
    home = mkdtempSync(join(tmpdir(), "twill-kubectl-"));
    t = await startTestApi({ kubelet });
    kubeconfig = join(home, "kubeconfig");
    await t.api.writeKubeconfig(kubeconfig, `https://127.0.0.1:${t.port}`);
    t.api.objects.create({
      apiVersion: "v1",
      kind: "Node",
      metadata: { name: "node-1" },
      spec: { podCIDR: "10.244.1.0/24", podCIDRs: ["10.244.1.0/24"] },
      status: {
        addresses: [{ type: "InternalIP", address: "192.168.77.11" }],
        conditions: [{ type: "Ready", status: "True" }],
        nodeInfo: { kubeletVersion: "v1.32.0" },
      },
    });
  });
  after(async () => {
    await t[Symbol.asyncDispose]();
    rmSync(home, { recursive: true });
    assert.deepEqual(t.errors, []);
  });

  // kubectl takes what begins with a brace for JSON.
  const k = (args: string, input?: string): Promise<Output> =>
    runKubectl(kubectl, args.match(/'[^']*'|\S+/g)?.map((a) => a.replace(/^'|'$/g, "")) ?? [], {
      kubeconfig,
      home,
      ...(input === undefined ? {} : { input: input.replace(/^\{/, "---\n{") }),
    });
  const good = async (args: string, input?: string): Promise<string> => {
    const r = await k(args, input);
    assert.equal(r.code, 0, `kubectl ${args}\n${r.stdout}${r.stderr}`);
    return r.stdout;
  };
  const bad = async (args: string, pattern: RegExp, input?: string): Promise<void> => {
    const r = await k(args, input);
    assert.notEqual(r.code, 0, `kubectl ${args} did not fail: ${r.stdout}`);
    assert.match(r.stderr, pattern);
  };
  /** Columns of the line that begins with a word. */
  const line = (text: string, first: string) =>
    text
      .split("\n")
      .find((l) => l.startsWith(first))
      ?.trim()
      .split(/\s+/);
  const setPod = (status: object) =>
    t.api.objects.patch(
      { apiVersion: "v1", kind: "Pod", namespace: "shop", name: "web" },
      { status: status as never },
      "status",
    );

  test("the kubeconfig is only its owner's", () => assert.equal(statSync(kubeconfig).mode & 0o777, 0o600));

  test("get nodes and a field of one", async () => {
    const row = line(await good("get nodes -o wide"), "node-1");
    assert.deepEqual(row?.filter((_, i) => i !== 3).slice(0, 5), [
      "node-1",
      "Ready",
      "<none>",
      "v1.32.0",
      "192.168.77.11",
    ]);
    assert.equal(await good("get node node-1 -o jsonpath={.spec.podCIDR}"), "10.244.1.0/24");
    assert.match(await good("describe node node-1"), /PodCIDRs:\s+10\.244\.1\.0\/24/);
  });

  test("apply makes, then finds nothing to do, then changes", async () => {
    assert.match(
      await good("apply -f -", MANIFEST),
      /pod\/web created[\s\S]*deployment\.apps\/api created[\s\S]*things\.example\.com created/,
    );
    assert.match(await good("apply -f -", MANIFEST), /pod\/web unchanged[\s\S]*deployment\.apps\/api unchanged/);
    const changed = MANIFEST.replace("img:1", "img:2").replace("replicas: 2", "replicas: 3");
    assert.match(await good("apply -f -", changed), /deployment\.apps\/api configured/);
    assert.equal(
      await good("get deploy api -n shop -o jsonpath={.spec.replicas}/{.spec.template.spec.containers[0].image}"),
      "3/img:2",
    );
    const without = MANIFEST.replace("  replicas: 2\n", "");
    await good("apply -f -", without);
    assert.equal(
      await good("get deploy api -n shop -o jsonpath={.spec.replicas}"),
      "1",
      "what is no longer said is the default again",
    );
  });

  test("wide tables of pods and others", async () => {
    t.api.objects.patch(
      { apiVersion: "v1", kind: "Pod", namespace: "shop", name: "web" },
      { spec: { nodeName: "node-1" } },
    );
    setPod({
      phase: "Running",
      podIP: "10.244.1.7",
      podIPs: [{ ip: "10.244.1.7" }],
      conditions: [{ type: "Ready", status: "True" }],
      containerStatuses: [{ name: "c", ready: true, restartCount: 0, state: { running: {} } }],
    });
    const row = line(await good("get pods -n shop -o wide"), "web");
    assert.deepEqual(
      row?.filter((_, i) => i !== 4),
      ["web", "1/1", "Running", "0", "10.244.1.7", "node-1", "<none>", "<none>"],
    );
    assert.match(await good("get all -n shop"), /service\/web\s+ClusterIP\s+10\.96\./);
    assert.match(await good("get pods -A --field-selector spec.nodeName=node-1"), /shop\s+web/);
    assert.equal((await good("get pods -A -l 'app in (web)' -o name")).trim(), "pod/web");
    await good("get daemonsets -n kube-system");
  });

  test("custom resources", async () => {
    await good("wait --for=condition=Established crd/things.example.com --timeout=20s");
    await good(
      "apply -f -",
      "{apiVersion: example.com/v1, kind: Thing, metadata: {name: t, namespace: shop}, spec: {size: 4}}",
    );
    assert.deepEqual(line(await good("get th -n shop"), "t "), ["t", "4"]);
    await bad(
      "apply -f -",
      /spec\.size.*less than or equal to 9/,
      "{apiVersion: example.com/v1, kind: Thing, metadata: {name: u, namespace: shop}, spec: {size: 10}}",
    );
    await good('patch th t -n shop --type=merge -p \'{"spec":{"size":5}}\'');
  });

  test("label, annotate, taint, scale, set image, patch of three kinds", async () => {
    await good("label pod web -n shop tier=front");
    await good("annotate pod web -n shop a=b");
    await bad("label pod web -n shop tier=back", /already has a value/);
    await good("taint node node-1 a=b:NoSchedule");
    await good("scale deploy api -n shop --replicas=4");
    await good("set image deploy/api -n shop c=img:3");
    await good(
      'patch deploy api -n shop -p \'{"spec":{"template":{"spec":{"containers":[{"name":"d","image":"e"}]}}}}\'',
    );
    await good('patch deploy api -n shop --type=json -p \'[{"op":"replace","path":"/spec/replicas","value":5}]\'');
    const text = await good(
      "get deploy api -n shop -o jsonpath={.spec.replicas}:{.spec.template.spec.containers[*].name}:{.spec.template.spec.containers[*].image}",
    );
    const [replicas, names, images] = text.split(":", 3);
    assert.deepEqual([replicas, names?.split(" ").sort(), images?.includes("img")], ["5", ["c", "d"], true]);
  });

  test("kubectl's own objects: namespaces, maps, secrets, accounts, roles, services, deployments", async () => {
    await good("create namespace made");
    await good("create configmap m -n made --from-literal=a=b --from-literal=empty=");
    assert.deepEqual(JSON.parse(await good("get cm m -n made -o json")).data, { a: "b", empty: "" });
    await good("create secret generic s -n made --from-literal=a=b");
    assert.equal(await good("get secret s -n made -o jsonpath={.data.a}"), "Yg==");
    await good("create serviceaccount sa -n made");
    await good("create role r -n made --verb=get --resource=pods");
    await good("create rolebinding rb -n made --role=r --serviceaccount=made:sa");
    await good("create clusterrole cr --verb=get --resource=pods");
    await good("create clusterrolebinding crb --clusterrole=cr --user=u");
    await good("create service nodeport np -n made --tcp=80:8080");
    assert.equal(await good("get svc np -n made -o jsonpath={.spec.ports[0].targetPort}"), "8080");
    await good("create deployment d -n made --image=x");
    await good("create job j -n made --image=x");
    await good("run r -n made --image=x");
    await good("create ingress i -n made --rule=a.example/c=np:80");
    assert.equal(await good("get ingress i -n made -o jsonpath={.spec.rules[0].host}"), "a.example");
    await good("expose deploy d -n made --port=80");
    assert.equal((await good("auth can-i get pods")).trim(), "yes");
    assert.match(await good("get rolebinding,clusterrolebinding -n made"), /Role\/r[\s\S]*ClusterRole\/cr/);
    await good("delete namespace made");
    await bad("get namespace made", /NotFound/);
  });

  test("a pod that kubectl makes itself, to look at a node: it comes as protobuf, with volumes and tolerations", async () => {
    await good("debug node/node-1 --image=busybox --attach=false -- true");
    const pods = JSON.parse(await good("get pods -o json")) as { items: readonly Fields[] };
    const made = pods.items.find((p) => p["metadata"].name.startsWith("node-debugger-node-1-"));
    assert.ok(made);
    const { volumes, containers, hostNetwork, nodeName, restartPolicy, tolerations } = made["spec"];
    assert.deepEqual([hostNetwork, nodeName, restartPolicy], [true, "node-1", "Never"]);
    assert.deepEqual(volumes, [{ name: "host-root", hostPath: { path: "/" } }]);
    assert.deepEqual(containers[0].volumeMounts, [{ name: "host-root", mountPath: "/host" }]);
    if (kubectl.minor > 20) assert.deepEqual(tolerations, [{ operator: "Exists" }]);
    await good(`delete pod ${made["metadata"].name} --wait=false`);
  });

  test("server-side apply, and a conflict between two managers", async () => {
    const one = "{apiVersion: v1, kind: ConfigMap, metadata: {name: ssa, namespace: shop}, data: {a: '1'}}";
    await good("apply --server-side --field-manager=one -f -", one);
    await bad(
      "apply --server-side --field-manager=two -f -",
      /conflict with "one": \.data\.a/,
      one.replace("'1'", "'2'"),
    );
    await good("apply --server-side --field-manager=two --force-conflicts -f -", one.replace("'1'", "'2'"));
    assert.equal(await good("get cm ssa -n shop -o jsonpath={.data.a}"), "2");
  });

  test("what is wrong is said as the real API says it", async () => {
    await bad("get pod nope -n shop", /Error from server \(NotFound\): pods "nope" not found/);
    await bad("create namespace shop", /Error from server \(AlreadyExists\): namespaces "shop" already exists/);
    await bad(
      "apply -f -",
      /The Pod "bad" is invalid:[\s\S]*spec\.containers: Required value/,
      "{apiVersion: v1, kind: Pod, metadata: {name: bad}, spec: {containers: []}}",
    );
    await bad("get nonsense", /the server doesn't have a resource type "nonsense"/);
    await bad(
      "apply -f -",
      /no matches for kind "Nope"/,
      "{apiVersion: example.com/v1, kind: Nope, metadata: {name: x}}",
    );
  });

  test("describe, wait, delete and watching a deletion", async () => {
    assert.match(await good("describe pod web -n shop"), /Status:\s+Running[\s\S]*IP:\s+10\.244\.1\.7/);
    await good("wait --for=condition=Ready pod/web -n shop --timeout=20s");
    const deleted = k("delete pod web -n shop --timeout=30s");
    // The lab's kubelet would do this.
    const stop = t.api.objects.watch({ apiVersion: "v1", kind: "Pod", namespace: "shop" }, ({ object }) => {
      if (object.metadata.deletionTimestamp !== undefined)
        setImmediate(() =>
          t.api.objects.delete(
            { apiVersion: "v1", kind: "Pod", namespace: "shop", name: object.metadata.name },
            { graceSeconds: 0 },
          ),
        );
    });
    const r = await deleted;
    stop();
    assert.equal(r.code, 0, r.stderr);
    assert.match(r.stdout, /pod "web" deleted/);
  });

  test("get --watch shows changes while they happen", async () => {
    await good("create configmap watched -n shop");
    const env = { PATH: process.env["PATH"], HOME: home, KUBECONFIG: kubeconfig };
    const before = t.api.stats().watchers;
    const child = spawn(kubectl.path, ["get", "cm", "watched", "-n", "shop", "-w"], {
      env,
      stdio: ["ignore", "pipe", "inherit"],
    });
    try {
      let text = "";
      child.stdout.on("data", (data: Buffer) => {
        text += data.toString();
      });
      await eventually("the object is shown", () => /^watched\s+0\s/m.test(text));
      // kubectl shows what a GET gave and then throws away the watch's first event, which it takes for the same object:
      // a change between the two is never shown.
      await eventually("the watch is open", () => t.api.stats().watchers > before);
      t.api.objects.patch(
        { apiVersion: "v1", kind: "ConfigMap", namespace: "shop", name: "watched" },
        { data: { a: "b" } },
      );
      await eventually("the change is shown", () => /^watched\s+1\s/m.test(text));
      assert.equal(text.match(/^NAME/gm)?.length, 1, "the header stands once");
    } finally {
      child.kill();
    }
  });

  const streams = () =>
    good(
      "apply -f -",
      "{apiVersion: v1, kind: Pod, metadata: {name: run}, spec: {nodeName: node-1, containers: [{name: c, image: x}]}}",
    );

  test("logs", async () => {
    await streams();
    assert.equal(await good("logs run"), "first\nlast\n");
    assert.equal(await good("logs run --tail=1"), "last\n");
  });

  // Before 1.29 kubectl speaks SPDY only, which is not served.
  const noWebSocket = kubectl.minor < 31 ? `kubectl ${kubectl.version} has no WebSocket exec` : false;
  test("exec: output, errors, exit code, input", { skip: noWebSocket }, async () => {
    await streams();
    const r = await k("exec run -- sh -c 'echo out; echo err >&2; exit 3'");
    assert.deepEqual([r.code, r.stdout, r.stderr.split("\n")[0]], [3, "out\n", "err"]);
    assert.equal(await good("exec -i run -- cat", "from far away"), "from far away");
    await bad("exec run -- /no/such/file", /ENOENT/);
  });

  test("exec by a kubectl without WebSocket says what is needed", {
    skip: noWebSocket === false ? `kubectl ${kubectl.version} has it` : false,
  }, async () => {
    await streams();
    await bad("exec run -- true", /need a client with WebSocket/);
  });
}
