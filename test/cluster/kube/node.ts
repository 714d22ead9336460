/** A node of the test cluster: a box in which a real containerd and a real kubelet run, with a disk of its own. */

import { linkSync, mkdirSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import * as yaml from "yaml";
import { type Box, runIn } from "../../../src/lab/box.ts";
import { LogFile } from "../../../src/lab/kubelet/log-file.ts";
import { CommandError, type Output } from "../../../src/lab/run.ts";
import { startTask, type Task } from "../../../src/lab/task.ts";
import type { LabNode } from "../../../src/lab/topology.ts";
import { openNodeBox } from "../../../src/lab/underlay.ts";
import { writeIn } from "../../fixture/files.ts";
import { waitFor } from "../../fixture/sandbox.ts";
import { pauseImage } from "../../runtimes/pause-image.ts";
import { asDaemon, cgroupRootOf, makeCgroups } from "./cgroups.ts";
import type { ClusterPki } from "./pki.ts";
import { IDENTITIES, kubeletIdentity } from "./pki.ts";

/** The image of a pod's sandbox. */
export const PAUSE_IMAGE = "twill.dev/pause:test";
const KUBERNETES = "/etc/kubernetes";
const CONTAINERD_CONFIG = "/etc/containerd/config.toml";
const CONTAINERD_SOCKET = "/run/containerd/containerd.sock";

/** Where Twill and the chained plugins are. */
const PLUGINS = "/opt/cni/bin";
const CONFIGURATIONS = "/etc/cni/net.d";

/** The kubelet sets these for the whole machine; it is shown files that have the values already. */
const KUBELET_SYSCTLS: Readonly<Record<string, string>> = {
  "vm/overcommit_memory": "1",
  "vm/panic_on_oom": "0",
  "kernel/panic": "10",
  "kernel/panic_on_oops": "1",
  "kernel/keys/root_maxkeys": "1000000",
  "kernel/keys/root_maxbytes": "25000000",
};

/** What makes a node. */
export interface NodeSpec {
  readonly lab: LabNode;
  /** Disk of the node: survives its end. */
  readonly disk: string;
  /** Kubernetes' programs on this machine. */
  readonly programs: string;
  readonly pki: ClusterPki;
  /** Of the cluster's DNS service. */
  readonly dnsAddress: string;
  /** For kube-proxy. */
  readonly podCidrs: readonly string[];
  readonly hasKubeProxy: boolean;
}

/** Programs that a node keeps running. */
export type Daemon = "containerd" | "kubelet" | "kube-proxy";

/** See the head of this file. */
export class KubeNode {
  readonly spec: NodeSpec;
  #box: Box;
  readonly #tasks = new Map<Daemon, Task>();

  private constructor(spec: NodeSpec, box: Box) {
    this.spec = spec;
    this.#box = box;
  }

  /** What the node is made of, until it is booted again. */
  get box(): Box {
    return this.#box;
  }

  get name(): string {
    return this.spec.lab.name;
  }

  /** Makes the node's namespaces and files; {@link start} starts its programs. */
  static async open(spec: NodeSpec): Promise<KubeNode> {
    const node = new KubeNode(spec, await openNodeBox(spec.lab));
    try {
      await node.#prepare();
      return node;
    } catch (cause) {
      await node.close();
      throw cause;
    }
  }

  /** Cuts a running node's power and boots it again: its disk stays, `/run` and all of the kernel's state do not. */
  async powerCycle(): Promise<void> {
    await this.#box.close();
    this.#box = await openNodeBox(this.spec.lab);
    await this.#prepare();
  }

  /** Runs a command as on the node's console. @throws CommandError unless it succeeds */
  async run(argv: readonly string[], options: { input?: string; timeoutMs?: number } = {}): Promise<string> {
    const output = await this.attempt(argv, options);
    if (output.code !== 0) throw new CommandError([...argv, `on "${this.name}"`], output);
    return output.stdout;
  }

  /** As {@link run}, whatever its end. */
  attempt(argv: readonly string[], options: { input?: string; timeoutMs?: number } = {}): Promise<Output> {
    return runIn(this.box, argv, { ...options, env: this.#env() });
  }

  #env(): Record<string, string> {
    return { PATH: `${process.env["PATH"]}:${this.spec.programs}:/usr/sbin:/sbin`, HOME: "/root", TMPDIR: "/tmp" };
  }

  async #prepare(): Promise<void> {
    const { disk, lab, pki } = this.spec;
    for (const dir of ["containerd", "kubelet", "opt", "log", "net.d"]) mkdirSync(join(disk, dir), { recursive: true });
    const script = [
      "mkdir -p /run/lab/var /run/lab/var.work",
      "mount -t overlay overlay -o lowerdir=/var,upperdir=/run/lab/var,workdir=/run/lab/var.work /var",
      "mkdir -p /var/lib/containerd /var/lib/kubelet",
      `mount --bind '${disk}/containerd' /var/lib/containerd`,
      `mount --bind '${disk}/kubelet' /var/lib/kubelet`,
      `mount --bind '${disk}/log' /var/log`,
      `mount --bind '${disk}/opt' /opt`,
      `mkdir -p ${PLUGINS}`,
      `mount --bind '${disk}/net.d' ${CONFIGURATIONS}`,
      "mount -t tmpfs -o mode=1777 twill-lab /tmp",
      ...Object.entries(KUBELET_SYSCTLS).map(([key, value], i) => {
        const file = `/run/lab/sysctl-${i}`;
        return `echo ${value} > ${file}; mount --bind ${file} /proc/sys/${key}`;
      }),
      "echo 'nameserver 127.0.0.1' > /run/lab/resolv.conf; rm -f /etc/resolv.conf; cp /run/lab/resolv.conf /etc/resolv.conf",
      // Volumes that share mounts with the node ask for it.
      "mount --make-rshared /",
    ];
    await this.run(["sh", "-ec", script.join("\n")]);
    makeCgroups(this.name);
    writeIn(this.box, CONTAINERD_CONFIG, containerdConfig(PLUGINS));
    writeIn(this.box, "/run/lab/pause.tar", pauseImage(PAUSE_IMAGE, process.arch));
    const serving = await pki.server([lab.name, lab.v4, lab.v6]);
    writeIn(this.box, `${KUBERNETES}/ca.crt`, pki.ca);
    writeIn(this.box, `${KUBERNETES}/serving.crt`, serving.cert);
    writeIn(this.box, `${KUBERNETES}/serving.key`, serving.key, 0o600);
    writeIn(this.box, `${KUBERNETES}/kubelet.yaml`, yaml.stringify(kubeletConfig(lab.name, this.spec.dnsAddress)));
    writeIn(this.box, `${KUBERNETES}/kubelet.conf`, await pki.kubeconfig(kubeletIdentity(lab.name)), 0o600);
    writeIn(this.box, `${KUBERNETES}/kube-proxy.conf`, await pki.kubeconfig(IDENTITIES.proxy), 0o600);
  }

  /** Starts containerd, then kubelet and, where wanted, kube-proxy. */
  async start(): Promise<void> {
    await this.#startContainerd();
    await this.run(["ctr", "-n", "k8s.io", "images", "import", "/run/lab/pause.tar"]);
    this.startDaemon("kubelet");
    if (this.spec.hasKubeProxy) this.startDaemon("kube-proxy");
  }

  async #startContainerd(): Promise<void> {
    this.startDaemon("containerd");
    await waitFor(
      `containerd on ${this.name}`,
      async () => (await this.attempt(["ctr", "version"])).code === 0,
      120_000,
    );
  }

  /** Kills one program: it is not told to end. */
  async halt(daemon: Daemon): Promise<void> {
    const task = this.task(daemon);
    if (!task.signal("SIGKILL")) throw new Error(`${daemon} does not run on "${this.name}"`);
    await task.ended;
  }

  /** {@link halt}, and the program started again. */
  async crash(daemon: Daemon): Promise<void> {
    await this.halt(daemon);
    if (daemon === "containerd") await this.#startContainerd();
    else this.startDaemon(daemon);
  }

  /** Has containerd look for plugins in another folder of the node. It is started anew, containers go on. */
  async usePlugins(directory: string): Promise<void> {
    writeIn(this.box, CONTAINERD_CONFIG, containerdConfig(directory));
    await this.crash("containerd");
  }

  /** Brings an image archive onto the node. */
  async loadImage(archive: string): Promise<void> {
    // Its own disk is what a node sees of this machine's files.
    const here = join(this.spec.disk, "opt", basename(archive));
    linkSync(archive, here);
    try {
      await this.run(["ctr", "-n", "k8s.io", "images", "import", join("/opt", basename(archive))], {
        timeoutMs: 300_000,
      });
    } finally {
      rmSync(here);
    }
  }

  /** Starts one program, which must not be running. */
  startDaemon(daemon: Daemon): Task {
    const { lab, programs, podCidrs } = this.spec;
    const argv = {
      containerd: ["containerd", "--config", CONTAINERD_CONFIG],
      kubelet: [
        join(programs, "kubelet"),
        `--config=${KUBERNETES}/kubelet.yaml`,
        `--kubeconfig=${KUBERNETES}/kubelet.conf`,
        `--hostname-override=${lab.name}`,
        `--node-ip=${lab.v4}`,
        "--container-runtime=remote",
        `--container-runtime-endpoint=unix://${CONTAINERD_SOCKET}`,
        `--pod-infra-container-image=${PAUSE_IMAGE}`,
        "--feature-gates=IPv6DualStack=true",
        "--v=2",
      ],
      "kube-proxy": [
        join(programs, "kube-proxy"),
        `--kubeconfig=${KUBERNETES}/kube-proxy.conf`,
        `--hostname-override=${lab.name}`,
        "--proxy-mode=iptables",
        `--cluster-cidr=${podCidrs.join(",")}`,
        "--feature-gates=IPv6DualStack=true",
        // Limits of the machine's conntrack cannot be set in a namespace.
        "--conntrack-max-per-core=0",
        "--conntrack-min=0",
        "--conntrack-tcp-timeout-established=0",
        "--conntrack-tcp-timeout-close-wait=0",
      ],
    }[daemon];
    const task = startTask({
      box: this.box,
      argv: asDaemon(this.name, argv),
      env: this.#env(),
      log: new LogFile(this.logPath(daemon)),
    });
    this.#tasks.set(daemon, task);
    return task;
  }

  /** Where a program's output goes. */
  logPath(daemon: Daemon): string {
    return join(this.spec.disk, `${daemon}.log`);
  }

  /** The running program's handle. */
  task(daemon: Daemon): Task {
    const task = this.#tasks.get(daemon);
    if (task === undefined) throw new Error(`${daemon} was not started on "${this.name}"`);
    return task;
  }

  /** Ends everything on the node; its disk stays. */
  close(): Promise<void> {
    return this.box.close();
  }
}

function containerdConfig(plugins: string): string {
  const unused = ["aufs", "btrfs", "devmapper", "zfs"].map((name) => `"io.containerd.snapshotter.v1.${name}"`);
  return `version = 2
disabled_plugins = [${unused.join(", ")}]
[grpc]
  address = "${CONTAINERD_SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${plugins}"
    conf_dir = "/etc/cni/net.d"
`;
}

function kubeletConfig(node: string, dnsAddress: string): object {
  return {
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: `${KUBERNETES}/ca.crt` },
    },
    authorization: { mode: "Webhook" },
    tlsCertFile: `${KUBERNETES}/serving.crt`,
    tlsPrivateKeyFile: `${KUBERNETES}/serving.key`,
    clusterDNS: [dnsAddress],
    clusterDomain: "cluster.local",
    resolvConf: "/etc/resolv.conf",
    cgroupDriver: "cgroupfs",
    cgroupRoot: cgroupRootOf(node),
    failSwapOn: false,
    // All nodes share this machine's disk and memory: nothing is evicted, no image collected.
    evictionHard: {
      "memory.available": "0%",
      "nodefs.available": "0%",
      "nodefs.inodesFree": "0%",
      "imagefs.available": "0%",
    },
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
    nodeStatusUpdateFrequency: "5s",
    syncFrequency: "10s",
  };
}
