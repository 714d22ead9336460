/** Services' status in a Kubernetes API. */

import { formatIssues } from "../../base/issue.ts";
import { createInterner } from "../../model/intern.ts";
import { parseService } from "../../model/service.ts";
import type { LoadBalancerApi, ServedService } from "../load-balancer-api.ts";
import { ClusterError } from "../source.ts";
import { createConnection } from "./connection.ts";
import type { ConnectionConfig } from "./credentials.ts";
import { mergeConditions } from "./kube-status-api.ts";

const PAGE = 500;
/** Most pages of a list: an API that never ends its list must not hold the leader. */
const MAX_PAGES = 100;

interface ServiceJson {
  readonly metadata?: { readonly resourceVersion?: string; readonly namespace?: string; readonly name?: string };
  readonly spec?: { readonly type?: string };
  readonly status?: {
    readonly loadBalancer?: { readonly ingress?: ServedService["ingress"] | null };
    readonly conditions?: ServedService["conditions"] | null;
  };
}

function isLost(error: unknown): boolean {
  return error instanceof ClusterError && [404, 409].includes(error.httpStatus);
}

/** Opens its own connection; dispose it. */
export function createKubeLoadBalancerApi(options: {
  readonly config: ConnectionConfig;
  readonly userAgent: string;
}): LoadBalancerApi {
  const connection = createConnection(options.config, { userAgent: options.userAgent });
  return {
    async listServices(signal) {
      const interner = createInterner();
      const found: ServedService[] = [];
      let token = "";
      for (let page = 0; page < MAX_PAGES; page++) {
        const path = `/api/v1/services?limit=${PAGE}${token === "" ? "" : `&continue=${encodeURIComponent(token)}`}`;
        const list = (await connection.json({ method: "GET", path, signal })) as {
          readonly metadata?: { readonly continue?: string };
          readonly items?: readonly ServiceJson[];
        };
        for (const item of list.items ?? []) {
          if (item.spec?.type !== "LoadBalancer") continue;
          const parsed = parseService(item, interner);
          if (!parsed.ok)
            throw new ClusterError(
              `Cannot read service ${item.metadata?.namespace}/${item.metadata?.name}: ${formatIssues(parsed.error)}`,
              "BadAnswer",
              0,
            );
          found.push({
            service: parsed.value,
            version: item.metadata?.resourceVersion ?? "",
            ingress: item.status?.loadBalancer?.ingress ?? [],
            conditions: item.status?.conditions ?? [],
          });
        }
        token = list.metadata?.continue ?? "";
        if (token === "") return found;
      }
      throw new ClusterError(`Cannot list all services: more than ${MAX_PAGES * PAGE}`, "BadAnswer", 0);
    },
    async writeStatus({ service, version, conditions }, { ips, condition }, signal) {
      const { namespace, name } = service;
      const now = new Date().toISOString().replace(/\.\d+Z$/, "Z");
      const body = {
        metadata: { resourceVersion: version },
        status: {
          loadBalancer: { ingress: ips.map((ip) => ({ ip })) },
          conditions: mergeConditions(conditions, [condition], now) ?? conditions,
        },
      };
      try {
        await connection.json({
          method: "PATCH",
          path: `/api/v1/namespaces/${encodeURIComponent(namespace)}/services/${encodeURIComponent(name)}/status`,
          body,
          contentType: "application/merge-patch+json",
          signal,
        });
        return true;
      } catch (error) {
        if (isLost(error)) return false;
        throw error;
      }
    },
    [Symbol.dispose]: () => connection[Symbol.dispose](),
  };
}
