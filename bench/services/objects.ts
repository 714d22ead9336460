/** So many services with the same backends: objects of an API, and addresses for who counts them. */

import type { NewObject } from "../../src/cluster/embedded/types.ts";

/** Where a service is asked for and where backends listen. */
export const SERVICE_PORT = 80;

/** The address of the first service; the others follow it. */
export const FIRST_ADDRESS = "10.96.1.0";

/** Address of a service. @param i below 65,280 */
export function serviceAddress(i: number): string {
  return `10.96.${1 + (i >> 8)}.${i & 255}`;
}

const NAMESPACE = "default";

/** Name of a service and of its slice. */
export function serviceName(i: number): string {
  return `service-${i}`;
}

/** Where a backend listens. */
export interface BenchBackend {
  readonly address: string;
  readonly port: number;
}

/** A service. Its label tells its endpoints' controller, which there is none of, to stay away. */
export function serviceObject(i: number, port: number): NewObject {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { namespace: NAMESPACE, name: serviceName(i) },
    spec: {
      type: "ClusterIP",
      clusterIP: serviceAddress(i),
      clusterIPs: [serviceAddress(i)],
      ipFamilies: ["IPv4"],
      ipFamilyPolicy: "SingleStack",
      ports: [{ name: "rate", port: SERVICE_PORT, targetPort: port, protocol: "TCP" }],
    },
  };
}

/** Its backends as one EndpointSlice. */
export function sliceObject(i: number, backends: readonly BenchBackend[], nodeName: string): NewObject {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      namespace: NAMESPACE,
      name: serviceName(i),
      labels: { "kubernetes.io/service-name": serviceName(i) },
    },
    addressType: "IPv4",
    endpoints: backends.map(({ address }) => ({
      addresses: [address],
      conditions: { ready: true, serving: true, terminating: false },
      nodeName,
    })),
    ports: [{ name: "rate", port: backends[0]?.port ?? 0, protocol: "TCP" }],
  };
}

/** Its backends as Endpoints, for a kube-proxy that knows no slices of v1. */
export function endpointsObject(i: number, backends: readonly BenchBackend[]): NewObject {
  return {
    apiVersion: "v1",
    kind: "Endpoints",
    metadata: { namespace: NAMESPACE, name: serviceName(i) },
    subsets: [
      {
        addresses: backends.map(({ address }) => ({ ip: address })),
        ports: [{ name: "rate", port: backends[0]?.port ?? 0, protocol: "TCP" }],
      },
    ],
  };
}

/** The node that all of it runs on. */
export function nodeObject(name: string, address: string, podCIDR: string): NewObject {
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name },
    spec: { podCIDR, podCIDRs: [podCIDR] },
    status: { addresses: [{ type: "InternalIP", address }] },
  };
}

/** One of the node's pods: an agent attaches nobody that the API does not show. */
export function podObject(name: string, nodeName: string): NewObject {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { namespace: NAMESPACE, name },
    spec: { nodeName, containers: [{ name: "rate", image: "bench" }] },
  };
}
