/** EndpointSlices and Endpoints of Services with a selector: which addresses serve them now. */

import type { KubeObject, NewObject, ObjectClient } from "../../cluster/embedded/types.ts";
import { HEADLESS_LABEL } from "../../model/unproxied.ts";
import { isOwnedBy, isPodOver, isPodReady, type OnError, ownerReference, refOf, runLoop } from "./loop.ts";

/** Of which Service a slice is. */
export const SERVICE_LABEL = "kubernetes.io/service-name";
/** Who makes a slice. */
export const MANAGER_LABEL = "endpointslice.kubernetes.io/managed-by";
const MANAGER = "endpointslice-controller.lab.twill.dev";

/** As in a real cluster: more endpoints are spread over further slices. */
const MAX_ENDPOINTS = 100;

interface ServicePort {
  readonly name?: string;
  readonly protocol?: string;
  readonly port: number;
  readonly targetPort?: number | string;
}

interface ResolvedPort {
  readonly name: string;
  readonly protocol: string;
  readonly port: number;
}

/** A Service's ports as they are in one pod: a port by name may have another number in each. Those that it lacks are left out. */
export function resolvePorts(ports: readonly ServicePort[], pod: KubeObject): ResolvedPort[] {
  const declared = (
    (pod["spec"]?.containers ?? []) as { ports?: { name?: string; containerPort: number; protocol?: string }[] }[]
  ).flatMap((c) => c.ports ?? []);
  return ports.flatMap((p) => {
    const protocol = p.protocol ?? "TCP";
    const target = p.targetPort ?? p.port;
    const port =
      typeof target === "number"
        ? target
        : declared.find((d) => d.name === target && (d.protocol ?? "TCP") === protocol)?.containerPort;
    return port === undefined ? [] : [{ name: p.name ?? "", protocol, port }];
  });
}

/** Whether a pod may stand behind a Service now, or did until it began to end. */
function isCandidate(pod: KubeObject, selector: readonly (readonly [string, string])[]): boolean {
  return !isPodOver(pod) && selector.every(([k, v]) => pod.metadata.labels?.[k] === v);
}

function addressOf(pod: KubeObject, isV6: boolean): string | undefined {
  const ips = ((pod["status"]?.podIPs ?? []) as { ip: string }[]).map((p) => p.ip);
  return ips.find((ip) => ip.includes(":") === isV6);
}

/** Zones of nodes, by the node's name. */
export type Zones = ReadonlyMap<string, string>;

const ZONE = "topology.kubernetes.io/zone";

/** The nearest clients are to ask, as the service's `trafficDistribution` has it (KEP-4444, KEP-3015). */
function hintsOf(distribution: unknown, nodeName: string, zone: string | undefined) {
  const isNear = ["PreferClose", "PreferSameZone", "PreferSameNode"].includes(String(distribution));
  const hints = {
    ...(isNear && zone !== undefined ? { forZones: [{ name: zone }] } : {}),
    ...(distribution === "PreferSameNode" ? { forNodes: [{ name: nodeName }] } : {}),
  };
  return Object.keys(hints).length === 0 ? {} : { hints };
}

function endpointOf(pod: KubeObject, address: string, service: KubeObject, zones: Zones) {
  const spec = service["spec"] ?? {};
  const isAlwaysReady = spec.publishNotReadyAddresses === true;
  const nodeName = String(pod["spec"]?.nodeName ?? "");
  const zone = zones.get(nodeName);
  const isTerminating = pod.metadata.deletionTimestamp !== undefined;
  const serving = isPodReady(pod) || isAlwaysReady;
  const { name, namespace, uid } = pod.metadata;
  return {
    addresses: [address],
    conditions: { ready: serving && (!isTerminating || isAlwaysReady), serving, terminating: isTerminating },
    ...(nodeName === "" ? {} : { nodeName }),
    ...(nodeName === "" ? {} : hintsOf(spec.trafficDistribution, nodeName, zone)),
    ...(zone === undefined ? {} : { zone }),
    targetRef: { kind: "Pod", name, namespace: namespace ?? "default", uid },
  };
}

/** The service's own, but for what only the controller says. */
function labelsOf(service: KubeObject): Record<string, string> {
  const { [HEADLESS_LABEL]: _, ...own } = service.metadata.labels ?? {};
  const headless = service["spec"]?.clusterIP === "None" ? { [HEADLESS_LABEL]: "" } : {};
  return { ...own, ...headless, [SERVICE_LABEL]: service.metadata.name, [MANAGER_LABEL]: MANAGER };
}

/** Labels that the service has no longer go: what is applied is merged. */
function withGoneLabels(slice: NewObject, before: KubeObject | undefined): NewObject {
  const wanted = slice.metadata["labels"] as Record<string, string>;
  const gone = Object.keys(before?.metadata.labels ?? {}).filter((key) => !(key in wanted));
  if (gone.length === 0) return slice;
  const labels = { ...wanted, ...Object.fromEntries(gone.map((key) => [key, null])) };
  return { ...slice, metadata: { ...slice.metadata, labels } };
}

/** The slices that a Service should have: by family, by the ports' numbers, at most 100 endpoints each. */
export function planSlices(service: KubeObject, pods: readonly KubeObject[], zones: Zones = new Map()): NewObject[] {
  const spec = service["spec"] ?? {};
  const selector = Object.entries((spec.selector ?? {}) as Record<string, string>);
  const behind = pods
    .filter((p) => isCandidate(p, selector))
    .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  return ((spec.ipFamilies ?? ["IPv4"]) as string[]).flatMap((family) => {
    const isV6 = family === "IPv6";
    const withAddress = behind.flatMap((pod) => {
      const address = addressOf(pod, isV6);
      return address === undefined ? [] : [{ pod, address, ports: resolvePorts(spec.ports ?? [], pod) }];
    });
    const groups = [...Map.groupBy(withAddress, (e) => JSON.stringify(e.ports)).values()];
    const chunks = groups.flatMap((g) =>
      Array.from({ length: Math.ceil(g.length / MAX_ENDPOINTS) }, (_, i) =>
        g.slice(i * MAX_ENDPOINTS, (i + 1) * MAX_ENDPOINTS),
      ),
    );
    // One slice even without endpoints: its being there says that the Service was seen.
    return (chunks.length === 0 ? [[]] : chunks).map((chunk, i) => ({
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: {
        name: `${service.metadata.name}-${family.toLowerCase()}${i === 0 ? "" : `-${i}`}`,
        namespace: service.metadata.namespace ?? "default",
        labels: labelsOf(service),
        ownerReferences: [ownerReference(service)],
      },
      addressType: family,
      endpoints: chunk.map((e) => endpointOf(e.pod, e.address, service, zones)),
      ports: chunk[0]?.ports ?? [],
    }));
  });
}

/** The old form of the first family's slices, which kubectl before 1.21 and some programs still read. */
function planEndpoints(service: KubeObject, slices: readonly NewObject[]): NewObject {
  const family = service["spec"]?.ipFamilies?.[0] ?? "IPv4";
  const subsets = slices
    .filter((s) => s["addressType"] === family)
    .flatMap((s) => {
      const endpoints = s["endpoints"] as ReturnType<typeof endpointOf>[];
      const list = (isReady: boolean) =>
        endpoints
          .filter((e) => e.conditions.ready === isReady)
          .map((e) => ({ ip: e.addresses[0] ?? "", nodeName: e.nodeName ?? "", targetRef: e.targetRef }));
      if (endpoints.length === 0) return [];
      const [addresses, notReadyAddresses] = [list(true), list(false)];
      return [
        {
          ...(addresses.length > 0 ? { addresses } : {}),
          ...(notReadyAddresses.length > 0 ? { notReadyAddresses } : {}),
          ports: s["ports"],
        },
      ];
    });
  const { name, namespace, labels } = service.metadata;
  return {
    apiVersion: "v1",
    kind: "Endpoints",
    metadata: {
      name,
      namespace: namespace ?? "default",
      labels: { ...labels },
      ownerReferences: [ownerReference(service)],
    },
    ...(subsets.length === 0 ? {} : { subsets }),
  };
}

function reconcile(
  objects: ObjectClient,
  service: KubeObject,
  pods: readonly KubeObject[],
  present: readonly KubeObject[],
  zones: Zones,
): void {
  const { selector = {}, type } = (service["spec"] ?? {}) as { selector?: object; type?: string };
  // A name leads to no endpoints, and an empty selector is none: somebody writes the slices by hand.
  if (type === "ExternalName" || Object.keys(selector).length === 0) return;
  if (service.metadata.deletionTimestamp !== undefined) return;
  const slices = planSlices(service, pods, zones);
  const wanted = new Set(slices.map((s) => s.metadata.name));
  const known = new Map(present.map((s) => [s.metadata.name, s]));
  for (const s of slices) objects.apply(withGoneLabels(s, known.get(s.metadata.name ?? "")));
  for (const s of present) if (isOwnedBy(s, service) && !wanted.has(s.metadata.name)) objects.delete(refOf(s));
  // An absent list is nothing to merge: it has to be taken away.
  objects.apply({ subsets: null, ...planEndpoints(service, slices) });
}

/** Works until ended. @returns ends it */
export function runEndpointSlices(objects: ObjectClient, onError: OnError): () => void {
  const byNamespace = (apiVersion: string, kind: string) =>
    Map.groupBy(objects.list({ apiVersion, kind }), (o) => o.metadata.namespace);
  const kinds = [
    { apiVersion: "v1", kind: "Service" },
    { apiVersion: "v1", kind: "Pod" },
    { apiVersion: "v1", kind: "Node" },
  ];
  return runLoop(objects, kinds, () => {
    const pods = byNamespace("v1", "Pod");
    const nodes = objects.list({ apiVersion: "v1", kind: "Node" });
    const zones = new Map(
      nodes.flatMap(({ metadata: { name, labels } }) => {
        const zone = labels?.[ZONE];
        return zone === undefined ? [] : [[name, zone] as const];
      }),
    );
    const slices = byNamespace("discovery.k8s.io/v1", "EndpointSlice");
    for (const service of objects.list({ apiVersion: "v1", kind: "Service" })) {
      const { namespace, name } = service.metadata;
      try {
        reconcile(objects, service, pods.get(namespace) ?? [], slices.get(namespace) ?? [], zones);
      } catch (error) {
        onError(error, `reconcile the endpoints of Service "${namespace}/${name}"`);
      }
    }
  });
}
