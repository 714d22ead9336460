/** Every dialect's scenarios. */

import { CALICO } from "./calico.ts";
import { CILIUM } from "./cilium.ts";
import { ADMIN, CLUSTER } from "./cluster.ts";
import { KUBERNETES } from "./kubernetes.ts";
import { MIXED } from "./mixed.ts";
import type { Dialect } from "./model.ts";

export const DIALECTS: readonly Dialect[] = [KUBERNETES, CLUSTER, ADMIN, CALICO, CILIUM, MIXED];
