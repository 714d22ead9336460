/** `twill/policy`: policies asked from programs and tests. */

// biome-ignore lint/performance/noBarrelFile: this is the door for programs outside, and nobody inside comes through it.
export {
  calicoNetworkPolicy,
  ciliumClusterwideNetworkPolicy,
  ciliumNetworkPolicy,
  clusterNetworkPolicy,
  globalNetworkPolicy,
  globalNetworkSet,
  type KubernetesObject,
  namespace,
  networkPolicy,
  node,
  type PodOptions,
  pod,
  tier,
} from "./builders.ts";
export {
  type FlowAnswer,
  PolicyQuestionError,
  PolicyWorld,
  policyWorld,
  policyWorldFromFiles,
  policyWorldFromYaml,
  RefusedObjectsError,
  type WorldOptions,
} from "./policy-world.ts";
export type * from "./specs.ts";
