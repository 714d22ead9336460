/** The control plane of the test cluster: etcd and Kubernetes' own servers, in the box that hangs on the wire for the API. */

import { join } from "node:path";
import { type Box, runIn } from "../../../src/lab/box.ts";
import { LogFile } from "../../../src/lab/kubelet/log-file.ts";
import { startTask, type Task } from "../../../src/lab/task.ts";
import type { AddressPair } from "../../../src/lab/topology.ts";
import { waitFor } from "../../fixture/sandbox.ts";
import { asDaemon, makeCgroups } from "./cgroups.ts";
import { type ClusterPki, writeControlFiles } from "./pki.ts";

const MACHINE = "control";

/** Port of the API. */
export const API_PORT = 6443;

/** Addresses of Services, and the first of them, which is the API's. */
export const SERVICES = { v4: "10.96.0.0/16", v6: "fd00:96::/112", api: "10.96.0.1", dns: "10.96.0.10" } as const;

/** What makes a control plane. */
export interface ControlSpec {
  readonly box: Box;
  readonly address: AddressPair;
  /** Folder for keys, data and logs. */
  readonly directory: string;
  readonly programs: string;
  readonly pki: ClusterPki;
  /** Of all nodes' pods: kube-controller-manager gives each node its share. */
  readonly podCidrs: readonly string[];
}

/** Programs of the control plane. */
export type ControlProgram = "etcd" | "kube-apiserver" | "kube-controller-manager" | "kube-scheduler";

/** See the head of this file. */
export class ControlPlane {
  readonly #spec: ControlSpec;
  readonly #tasks = new Map<ControlProgram, Task>();

  constructor(spec: ControlSpec) {
    this.#spec = spec;
  }

  /** Starts everything and waits until the API is ready. */
  async start(): Promise<void> {
    const { pki, address } = this.#spec;
    const names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost", "127.0.0.1"];
    makeCgroups(MACHINE);
    await writeControlFiles(pki, this.#file(""), [...names, address.v4, address.v6, SERVICES.api]);
    this.startProgram("etcd");
    this.startProgram("kube-apiserver");
    await this.untilReady();
    this.startProgram("kube-controller-manager");
    this.startProgram("kube-scheduler");
  }

  /** Waits until the API says that it is ready. */
  async untilReady(): Promise<void> {
    const argv = ["kubectl", "--kubeconfig", this.#file("admin.conf"), "get", "--raw", "/readyz"];
    await waitFor("the API server", async () => (await runIn(this.#spec.box, argv)).code === 0, 180_000);
  }

  /** Starts one program, which must not be running. */
  startProgram(program: ControlProgram): Task {
    const { box, programs } = this.#spec;
    const file = program === "etcd" ? "etcd" : join(programs, program);
    const task = startTask({
      box,
      argv: asDaemon(MACHINE, [file, ...this.#args(program)]),
      env: { PATH: process.env["PATH"] ?? "", HOME: "/root" },
      log: new LogFile(this.logPath(program)),
    });
    this.#tasks.set(program, task);
    return task;
  }

  /** The running program's handle. */
  task(program: ControlProgram): Task {
    const task = this.#tasks.get(program);
    if (task === undefined) throw new Error(`${program} was not started`);
    return task;
  }

  /** Where a program's output goes. */
  logPath(program: ControlProgram): string {
    return join(this.#spec.directory, `${program}.log`);
  }

  #file(name: string): string {
    return join(this.#spec.directory, "keys", name);
  }

  #args(program: ControlProgram): readonly string[] {
    const { address, directory, podCidrs } = this.#spec;
    const file = (name: string) => this.#file(name);
    const services = `${SERVICES.v4},${SERVICES.v6}`;
    // Of Kubernetes 1.20; today both are always on.
    const gates = "--feature-gates=IPv6DualStack=true,EndpointSliceTerminatingCondition=true";
    switch (program) {
      case "etcd":
        return [
          `--data-dir=${join(directory, "etcd")}`,
          "--listen-client-urls=http://127.0.0.1:2379",
          "--advertise-client-urls=http://127.0.0.1:2379",
          "--listen-peer-urls=http://127.0.0.1:2380",
          "--initial-advertise-peer-urls=http://127.0.0.1:2380",
          "--initial-cluster=default=http://127.0.0.1:2380",
          "--unsafe-no-fsync",
        ];
      case "kube-apiserver":
        return [
          `--advertise-address=${address.v4}`,
          `--secure-port=${API_PORT}`,
          "--etcd-servers=http://127.0.0.1:2379",
          `--service-cluster-ip-range=${services}`,
          gates,
          "--allow-privileged=true",
          "--authorization-mode=Node,RBAC",
          "--enable-admission-plugins=NodeRestriction",
          `--client-ca-file=${file("ca.crt")}`,
          `--tls-cert-file=${file("server.crt")}`,
          `--tls-private-key-file=${file("server.key")}`,
          `--kubelet-certificate-authority=${file("ca.crt")}`,
          `--kubelet-client-certificate=${file("kubelet-client.crt")}`,
          `--kubelet-client-key=${file("kubelet-client.key")}`,
          "--kubelet-preferred-address-types=InternalIP",
          "--service-account-issuer=https://kubernetes.default.svc",
          `--service-account-key-file=${file("accounts.pub")}`,
          `--service-account-signing-key-file=${file("accounts.key")}`,
          "--profiling=false",
        ];
      case "kube-controller-manager":
        return [
          `--kubeconfig=${file("controllerManager.conf")}`,
          "--bind-address=127.0.0.1",
          "--leader-elect=false",
          "--use-service-account-credentials=true",
          "--allocate-node-cidrs=true",
          `--cluster-cidr=${podCidrs.join(",")}`,
          `--service-cluster-ip-range=${services}`,
          "--node-cidr-mask-size-ipv4=24",
          "--node-cidr-mask-size-ipv6=64",
          gates,
          `--root-ca-file=${file("ca.crt")}`,
          `--service-account-private-key-file=${file("accounts.key")}`,
        ];
      case "kube-scheduler":
        return [`--kubeconfig=${file("scheduler.conf")}`, "--bind-address=127.0.0.1", "--leader-elect=false"];
    }
  }
}
