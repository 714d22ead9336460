/** Endpoints that somebody writes by hand, for Services without a selector, as the EndpointSlices that are read of them. */

import type { KubeObject, NewObject, ObjectClient } from "../../cluster/embedded/types.ts";
import { MANAGER_LABEL, SERVICE_LABEL } from "./endpoint-slices.ts";
import { isOwnedBy, type OnError, ownerReference, refOf, runLoop } from "./loop.ts";

const MANAGER = "endpointslicemirroring-controller.k8s.io";
const SKIP_LABEL = "endpointslice.kubernetes.io/skip-mirror";
/** Endpoints that are a lock, from before there were Leases. */
const LEADER = "control-plane.alpha.kubernetes.io/leader";
/** Of one subset, as in a real cluster; more are left out. */
const MAX_ADDRESSES = 1000;

interface Address {
  readonly ip: string;
  readonly hostname?: string;
  readonly nodeName?: string;
  readonly targetRef?: object;
}

interface Subset {
  readonly addresses?: readonly Address[];
  readonly notReadyAddresses?: readonly Address[];
  readonly ports?: readonly { readonly name?: string; readonly port: number; readonly protocol?: string }[];
}

function endpointOf({ ip, hostname, nodeName, targetRef }: Address, ready: boolean) {
  return {
    addresses: [ip],
    conditions: { ready, serving: ready, terminating: false },
    ...(hostname === undefined ? {} : { hostname }),
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(targetRef === undefined ? {} : { targetRef }),
  };
}

/** The slices of Endpoints: one for each subset and family that has addresses. */
function mirrorSlices(endpoints: KubeObject): NewObject[] {
  const { name, namespace = "default", labels } = endpoints.metadata;
  const subsets: readonly Subset[] = endpoints["subsets"] ?? [];
  return subsets.flatMap(({ addresses = [], notReadyAddresses = [], ports = [] }, i) =>
    ["IPv4", "IPv6"].flatMap((family): NewObject[] => {
      const own = (list: readonly Address[], isReady: boolean) =>
        list.filter((a) => a.ip.includes(":") === (family === "IPv6")).map((a) => endpointOf(a, isReady));
      const all = [...own(addresses, true), ...own(notReadyAddresses, false)].slice(0, MAX_ADDRESSES);
      if (all.length === 0) return [];
      return [
        {
          apiVersion: "discovery.k8s.io/v1",
          kind: "EndpointSlice",
          metadata: {
            name: `${name}-mirror-${family.toLowerCase()}-${i}`,
            namespace,
            labels: { ...labels, [SERVICE_LABEL]: name, [MANAGER_LABEL]: MANAGER },
            ownerReferences: [ownerReference(endpoints)],
          },
          addressType: family,
          endpoints: all,
          ports: ports.map((p) => ({ name: p.name ?? "", port: p.port, protocol: p.protocol ?? "TCP" })),
        },
      ];
    }),
  );
}

function isMirrored(endpoints: KubeObject, service: KubeObject | undefined): boolean {
  const { labels, annotations, deletionTimestamp } = endpoints.metadata;
  if (deletionTimestamp !== undefined || labels?.[SKIP_LABEL] === "true" || annotations?.[LEADER] !== undefined)
    return false;
  return service !== undefined && Object.keys(service["spec"]?.selector ?? {}).length === 0;
}

/** Works until ended. @returns ends it */
export function runMirrorEndpoints(objects: ObjectClient, onError: OnError): () => void {
  const services = { apiVersion: "v1", kind: "Service" };
  const kind = { apiVersion: "v1", kind: "Endpoints" };
  return runLoop(objects, [services, kind], () => {
    const present = objects
      .list({ apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice" })
      .filter((s) => s.metadata.labels?.[MANAGER_LABEL] === MANAGER);
    for (const endpoints of objects.list(kind)) {
      try {
        const service = objects.get({ ...refOf(endpoints), kind: "Service" });
        const wanted = isMirrored(endpoints, service) ? mirrorSlices(endpoints) : [];
        const names = new Set(wanted.map((s) => s.metadata.name));
        for (const s of wanted) objects.apply(s);
        for (const s of present) if (isOwnedBy(s, endpoints) && !names.has(s.metadata.name)) objects.delete(refOf(s));
      } catch (error) {
        const { namespace, name } = endpoints.metadata;
        onError(error, `mirror the Endpoints "${namespace}/${name}"`);
      }
    }
  });
}
