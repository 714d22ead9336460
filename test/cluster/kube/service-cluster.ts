/** Services of the real cluster, asked as the lab's are. */

import assert from "node:assert/strict";
import type { Json } from "../../../src/cluster/embedded/types.ts";
import { BACKEND_PORTS, SERVICE_SPEC, ServiceStage, type StageEnd } from "../../fixture/service-stage.ts";
import { outsideEnd, type PodEnd } from "./objects.ts";
import { echoPod, type Stage, untilPodsReady } from "./stage.ts";

const SERVICES = { apiVersion: "v1", kind: "Service" } as const;
const NAMESPACE = "default";

interface ServicePort {
  readonly name: string;
  readonly protocol?: string;
  readonly nodePort?: number;
}

/** The parts of a Service that are looked at. */
export interface ServiceObject {
  readonly spec: { readonly clusterIPs?: readonly string[]; readonly ports?: readonly ServicePort[] };
  readonly status: { readonly loadBalancer?: { readonly ingress?: readonly { readonly ip: string }[] } };
}

/** An endpoint as `EndpointSlice` v1 has it. */
interface SliceEndpoint {
  readonly addresses: readonly string[];
  readonly nodeName?: string;
  readonly conditions?: object;
}

/** v1beta1 says the node in words of topology. */
function betaEndpoint({ nodeName, ...rest }: SliceEndpoint): object {
  return nodeName === undefined ? rest : { ...rest, topology: { "kubernetes.io/hostname": nodeName } };
}

/** See the head of this file. */
export class ServiceCluster extends ServiceStage {
  readonly #stage: Stage;
  readonly #sliceVersion: string;
  readonly #pods = new Map<string, PodEnd>();

  private constructor(stage: Stage, sliceVersion: string) {
    super();
    this.#stage = stage;
    this.#sliceVersion = sliceVersion;
  }

  static async open(stage: Stage): Promise<ServiceCluster> {
    const group = await stage.api.send<{ preferredVersion: { groupVersion: string } }>("GET", "/apis/discovery.k8s.io");
    return new ServiceCluster(stage, group.preferredVersion.groupVersion);
  }

  /** As {@link ServiceLab.pods} of the lab. */
  async pods(pods: Readonly<Record<string, string>>, labels: Readonly<Record<string, string>> = {}): Promise<void> {
    const ports = BACKEND_PORTS.map(({ name, port, protocol }) => ({ name, containerPort: port, protocol }));
    const { api } = this.#stage;
    // Its controller makes it too, at its own pace; pods are refused before.
    await api.apply({ apiVersion: "v1", kind: "ServiceAccount", metadata: { namespace: NAMESPACE, name: "default" } });
    for (const [name, node] of Object.entries(pods))
      await api.apply(echoPod({ namespace: NAMESPACE, name, node, labels, ports }));
    const names = Object.keys(pods).map((name) => `${NAMESPACE}/${name}`);
    for (const end of await untilPodsReady(this.#stage, names)) this.#pods.set(end.name, end);
  }

  async service(name: string, spec: object, status?: Json): Promise<readonly [string, string]> {
    const { api } = this.#stage;
    const wanted = { ...SERVICE_SPEC, ...spec } as { readonly ports: readonly ServicePort[] };
    // Server-side apply tells ports apart by their protocol, which has to be there.
    const ports = wanted.ports.map((p) => ({ protocol: "TCP", ...p }));
    await api.apply({ ...SERVICES, metadata: { namespace: NAMESPACE, name }, spec: { ...wanted, ports } });
    if (status !== undefined)
      await api.send("PATCH", `${this.#path(name)}/status`, { status }, "application/merge-patch+json");
    const [v4 = "", v6 = ""] = (await this.serviceObject(name)).spec.clusterIPs ?? [];
    return [v4, v6];
  }

  /** A service as the API has it. */
  serviceObject(name: string): Promise<ServiceObject> {
    return this.#stage.api.send<ServiceObject>("GET", this.#path(name));
  }

  async nodePort(name: string, port: string): Promise<number> {
    const found = (await this.serviceObject(name)).spec.ports?.find((p) => p.name === port)?.nodePort;
    assert.ok(found !== undefined, `service ${name} has no node port ${port}`);
    return found;
  }

  async removeService(name: string): Promise<void> {
    await this.#stage.api.delete({ ...SERVICES, metadata: { namespace: NAMESPACE, name } });
  }

  async slices(service: string, endpoints: readonly object[]): Promise<void> {
    const all = endpoints as readonly SliceEndpoint[];
    const isBeta = this.#sliceVersion.endsWith("/v1beta1");
    for (const family of ["IPv4", "IPv6"]) {
      const own = all.filter((e) => e.addresses.every((a) => a.includes(":") === (family === "IPv6")));
      await this.#stage.api.apply({
        apiVersion: this.#sliceVersion,
        kind: "EndpointSlice",
        metadata: {
          namespace: NAMESPACE,
          name: `${service}-${family.toLowerCase()}`,
          labels: { "kubernetes.io/service-name": service },
        },
        addressType: family,
        endpoints: isBeta ? own.map(betaEndpoint) : own,
        ports: BACKEND_PORTS,
      });
    }
  }

  endpoints(pod: string, more: object = {}): object[] {
    const { node, addresses } = this.#pod(`${NAMESPACE}/${pod}`);
    return addresses.map((address) => ({ addresses: [address], nodeName: node, ...more }));
  }

  at(name: string): StageEnd {
    const { cluster } = this.#stage;
    if (name === "outside") return outsideEnd(cluster);
    const node = cluster.nodes.find((n) => n.name === name);
    // What its kubelet reports is one family; it has both.
    if (node !== undefined) return { netns: node.box.netns, addresses: [node.spec.lab.v4, node.spec.lab.v6] };
    return this.#pod(name);
  }

  protected processOf(name: string): number | undefined {
    const node = this.#pods.get(name)?.node ?? name;
    return this.#stage.cluster.nodes.find((n) => n.name === node)?.box.init.pid;
  }

  #pod(name: string): PodEnd {
    const found = this.#pods.get(name);
    assert.ok(found, `there is no "${name}" in the cluster`);
    return found;
  }

  #path(service: string): string {
    return `/api/v1/namespaces/${NAMESPACE}/services/${service}`;
  }
}
