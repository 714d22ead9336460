/** What giving addresses to services needs of an API: services as they are now, and writing their status. */

import type { Service } from "../model/service.ts";
import type { ObjectCondition } from "./reports.ts";

/** A service as the API has it, with what of its status is not in the model. */
export interface ServedService {
  readonly service: Service;
  /** `metadata.resourceVersion`. */
  readonly version: string;
  /** Addresses and names in its status, as they stand there. */
  readonly ingress: readonly { readonly ip?: string; readonly hostname?: string }[];
  readonly conditions: readonly (Partial<ObjectCondition> & { readonly lastTransitionTime?: string })[];
}

/** What shall stand in a service's status. */
export interface ServiceStatus {
  /** Addresses; everything else that stands there goes. */
  readonly ips: readonly string[];
  readonly condition: ObjectCondition;
}

/** See the file's comment. All calls throw ClusterError. */
export interface LoadBalancerApi extends Disposable {
  /** All of type LoadBalancer, never from a cache. One that cannot be read is an error: its address might be given twice. */
  listServices(signal: AbortSignal): Promise<readonly ServedService[]>;
  /** @returns false: it is gone, or somebody else wrote it meanwhile */
  writeStatus(of: ServedService, status: ServiceStatus, signal: AbortSignal): Promise<boolean>;
}
