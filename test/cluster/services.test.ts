/**
 * Services of a real Kubernetes that has no kube-proxy: the table of test/service, asked packet by packet and by sockets, and
 * what only a whole cluster shows. Needs Kubernetes' programs, as install.test.ts does.
 */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { cgroup2Root } from "../../src/kernel/linux/control-group.ts";
import { type LeftOut, SERVICE_PARTS, serviceWays } from "../service/ways.cases.ts";
import { noHelm } from "./kube/helm.ts";
import { cannotRun } from "./kube/programs.ts";
import { ServiceCluster } from "./kube/service-cluster.ts";
import { TwillStage } from "./kube/twill-stage.ts";
import { balancesLoad, findsByName, reachesTheApi, rolls } from "./service.cases.ts";

const skip = cannotRun() ?? false;
const UNKNOWN: LeftOut = {
  "internalTrafficPolicy Local: the node's own backends only, and silence where it has none":
    "Kubernetes 1.20 knows no internalTrafficPolicy: judged in test/service/ways.test.ts",
};

describe("Services in a real Kubernetes without kube-proxy", { skip, timeout: 1_200_000 }, () => {
  let twill: TwillStage;
  let services: ServiceCluster;
  const stage = () => ({ cluster: twill.cluster, api: twill.api, services });

  before(async () => {
    twill = await TwillStage.open({ hasKubeProxy: false });
    if (noHelm() === undefined) await twill.installChart();
    else await twill.install();
    services = await ServiceCluster.open(twill);
    await services.pods({ "web-1": "node-1", "web-2": "node-2" }, { app: "web" });
    await services.pods({ "client-1": "node-1", "client-2": "node-2" });
  });
  after(() => twill?.[Symbol.asyncDispose]());

  reachesTheApi(stage);

  describe("packet by packet", () => serviceWays(() => services, SERVICE_PARTS, UNKNOWN));

  describe("by sockets", { skip: cgroup2Root() === undefined && "needs a cgroup2 file system" }, () => {
    before(() => {
      services.isSeen = true;
    });
    after(() => {
      services.isSeen = false;
    });
    serviceWays(() => services, ["from pods", "backends that come and go"], UNKNOWN);
  });

  findsByName(stage);
  balancesLoad(stage);
  rolls(stage);

  test("an upgrade of the chart replaces agents and no Service; uninstalling it takes every object", {
    skip: noHelm() ?? false,
  }, async () => {
    const [ip] = await services.service("web", { selector: { app: "web" } });
    await twill.upgradeChart({ "resources.requests.cpu": "60m" });
    await services.answeredBy(["web-1", "web-2"], "default/client-1", "TCP", ip, 8000);
    assert.match(await twill.helm(["list"]), /^twill\s+kube-system\s+2\s.*\sdeployed\s/m);
    await twill.helm(["uninstall", "twill", "--wait"]);
    const kinds =
      "daemonsets,configmaps,serviceaccounts,roles,clusterroles,clusterrolebindings,customresourcedefinitions";
    const left = await twill.cluster.kubectl(["get", kinds, "-A", "-o", "name"]);
    assert.doesNotMatch(left, /twill/);
    // What it forwards goes on until it is uninstalled on the nodes, too.
    await services.answeredBy(["web-1", "web-2"], "default/client-1", "TCP", ip, 8000);
  });
});
