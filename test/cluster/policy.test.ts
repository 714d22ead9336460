/**
 * Policies between real pods of a real Kubernetes that has no kube-proxy: pods that start under one, Kubernetes' own cases, and
 * scenarios of every dialect. Needs Kubernetes' programs, as install.test.ts does.
 */

import { after, before, describe } from "node:test";
import { startsClosed } from "./first-packet.cases.ts";
import { cannotRun } from "./kube/programs.ts";
import { TwillStage } from "./kube/twill-stage.ts";
import { dialectScenarios, kubernetesCases } from "./policy.cases.ts";

const skip = cannotRun() ?? false;

describe("Policies in a real Kubernetes", { skip, timeout: 1_200_000 }, () => {
  let twill: TwillStage;

  before(async () => {
    twill = await TwillStage.open({ hasKubeProxy: false });
    // Before the agents: they need not look for kinds that come later.
    await twill.defineKinds();
    await twill.install();
  });
  after(() => twill?.[Symbol.asyncDispose]());

  startsClosed(() => twill);
  kubernetesCases(() => twill);
  dialectScenarios(() => twill);
});
