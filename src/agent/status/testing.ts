/** A status of services for tests of what is made of it. */

import { NO_ANNOUNCEMENTS } from "../announce/announce-counts.ts";
import type { ServiceStatus } from "../service/service-status.ts";

/** All is well. */
export const SERVICE_STATUS: ServiceStatus = {
  isEnabled: true,
  isReady: true,
  problem: undefined,
  services: 3,
  frontends: 7,
  backends: 12,
  tables: [{ table: "services", rows: 7, limit: 65_536 }],
  changes: 4,
  lastChangeMs: 0.8,
  forgotten: 2,
  issues: [],
  issueCount: 0,
  kubeProxy: { mode: undefined, hasRules: false },
  announce: NO_ANNOUNCEMENTS,
};
