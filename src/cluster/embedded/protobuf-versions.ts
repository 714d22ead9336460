/**
 * Fields that none of the versions in gen/ has: later ones, and those that came and went in between. Their numbers are of
 * the `generated.proto` and `types.go` of Kubernetes (Apache-2.0).
 */

/** Written as in gen/; messages that are there as well get these fields beside theirs. */
export const OTHER_VERSIONS: Readonly<Record<string, string>> = {
  // 1.33 to 1.36, but for the alphas of scheduling groups and of images' digests.
  "core.Container": "25 restartPolicyRules []ContainerRestartRule",
  "core.ContainerExtendedResourceRequest": "1 containerName string!, 2 resourceName string!, 3 requestName string!",
  "core.ContainerRestartRule": "1 action string, 2 exitCodes ContainerRestartRuleOnExitCodes",
  "core.ContainerRestartRuleOnExitCodes": "1 operator string, 2 values []int",
  "core.ContainerStatus": "15 stopSignal string!",
  "core.EnvVarSource": "5 fileKeyRef FileKeySelector",
  "core.EphemeralContainerCommon": "25 restartPolicyRules []ContainerRestartRule",
  "core.FileKeySelector": "1 volumeName string!, 2 path string!, 3 key string!, 4 optional bool!",
  "core.Lifecycle": "3 stopSignal string!",
  "core.NodeAllocatableResourceClaimStatus":
    "1 resourceClaimName string!, 2 containers []string, 3 resources {}Quantity",
  "core.NodeStatus": "14 declaredFeatures []string",
  "core.NodeSwapStatus": "1 capacity int!",
  "core.NodeSystemInfo": "11 swap NodeSwapStatus",
  "core.PodCertificateProjection":
    "1 signerName string, 2 keyType string, 3 maxExpirationSeconds int!, 4 credentialBundlePath string, 5 keyPath string, 6 certificateChainPath string, 7 userAnnotations {}string",
  "core.PodCondition": "7 observedGeneration int",
  "core.PodExtendedResourceClaimStatus":
    "1 requestMappings []ContainerExtendedResourceRequest, 2 resourceClaimName string!",
  "core.PodSpec": "41 hostnameOverride string!",
  "core.PodStatus":
    "17 observedGeneration int, 18 extendedResourceClaimStatus PodExtendedResourceClaimStatus, 19 allocatedResources {}Quantity, 20 resources ResourceRequirements, 21 nodeAllocatableResourceClaimStatuses []NodeAllocatableResourceClaimStatus",
  "core.VolumeMountStatus": "5 volumeStatus VolumeStatus",
  "core.VolumeProjection": "6 podCertificate PodCertificateProjection",
  "core.VolumeStatus": "",
  "apps.DeploymentStatus": "9 terminatingReplicas int!",
  "apps.ReplicaSetStatus": "7 terminatingReplicas int!",
  "discovery.EndpointHints": "2 forNodes []ForNode",
  "discovery.ForNode": "1 name string!",

  // Definitions of 1.25 to 1.30.
  "apiextensions.CustomResourceDefinitionVersion": "9 selectableFields []SelectableField",
  "apiextensions.JSONSchemaProps": "44 x-kubernetes-validations []ValidationRule",
  "apiextensions.SelectableField": "1 jsonPath string!",
  "apiextensions.ValidationRule":
    "1 rule string!, 2 message string, 3 messageExpression string, 4 reason string!, 5 fieldPath string, 6 optionalOldSelf bool!",

  // 1.23 to 1.27.
  "core.PersistentVolumeClaimStatus": "6 resizeStatus string!",

  // 1.24 to 1.27: a structure, so that every policy of these versions has it. What it held is not known here.
  "networking.NetworkPolicy": "3 status NetworkPolicyStatus",
  "networking.NetworkPolicyStatus": "",
};
