/** Tables of workloads. */

import type { Fields } from "./fields.ts";
import {
  AGE,
  type Columns,
  containerColumns,
  labelText,
  NAME,
  number,
  selectorText,
  since,
  text,
} from "./table-cells.ts";
import type { KubeObject } from "./types.ts";

const template = (o: KubeObject): Fields | undefined => o["spec"]?.template;
const selector = text("Selector", (o) => selectorText(o["spec"]?.selector), 1);
const status = (o: KubeObject, key: string) => o["status"]?.[key] ?? 0;

const DAEMON_SET: Columns = [
  NAME,
  number("Desired", (o) => status(o, "desiredNumberScheduled")),
  number("Current", (o) => status(o, "currentNumberScheduled")),
  number("Ready", (o) => status(o, "numberReady")),
  number("Up-to-date", (o) => status(o, "updatedNumberScheduled")),
  number("Available", (o) => status(o, "numberAvailable")),
  text("Node Selector", (o) => labelText(o["spec"]?.template?.spec?.nodeSelector)),
  AGE,
  ...containerColumns(template),
  selector,
];

const DEPLOYMENT: Columns = [
  NAME,
  text("Ready", (o) => `${status(o, "readyReplicas")}/${o["spec"]?.replicas ?? 0}`),
  number("Up-to-date", (o) => status(o, "updatedReplicas")),
  number("Available", (o) => status(o, "availableReplicas")),
  AGE,
  ...containerColumns(template),
  selector,
];

const REPLICA_SET: Columns = [
  NAME,
  number("Desired", (o) => o["spec"]?.replicas),
  number("Current", (o) => status(o, "replicas")),
  number("Ready", (o) => status(o, "readyReplicas")),
  AGE,
  ...containerColumns(template),
  selector,
];

const STATEFUL_SET: Columns = [
  NAME,
  text("Ready", (o) => `${status(o, "readyReplicas")}/${o["spec"]?.replicas ?? 0}`),
  AGE,
  ...containerColumns(template),
];

const JOB: Columns = [
  NAME,
  text("Status", (o) => {
    const done = (o["status"]?.conditions ?? []).find((c: Fields) => c["status"] === "True");
    return done === undefined ? "Running" : done.type;
  }),
  text("Completions", (o) => `${status(o, "succeeded")}/${o["spec"]?.completions ?? 1}`),
  text("Duration", (o) => (o["status"]?.startTime === undefined ? "" : since(o["status"].startTime))),
  AGE,
  ...containerColumns(template),
  selector,
];

/** Columns by storage. */
export const WORKLOAD_COLUMNS: Readonly<Record<string, Columns>> = {
  "apps/daemonsets": DAEMON_SET,
  "apps/deployments": DEPLOYMENT,
  "apps/replicasets": REPLICA_SET,
  "apps/statefulsets": STATEFUL_SET,
  "batch/jobs": JOB,
};
