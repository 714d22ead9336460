/** What policies say, as types: a help in writing them. What is right in the end the readers of `src/model` decide. */

/** Labels by name. */
export type LabelMap = Readonly<Record<string, string>>;

/** Kubernetes' label selector: all lines must hold. `{}` selects everything. */
export interface LabelSelector {
  readonly matchLabels?: LabelMap;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: "In" | "NotIn" | "Exists" | "DoesNotExist";
    readonly values?: readonly string[];
  }[];
}

type PortProtocol = "TCP" | "UDP" | "SCTP";

/** One port of a NetworkPolicy's rule. */
export interface NetworkPolicyPort {
  readonly protocol?: PortProtocol;
  readonly port?: number | string;
  readonly endPort?: number;
}

/** Who the other side of a NetworkPolicy's rule is. */
export type NetworkPolicyPeer =
  | { readonly podSelector?: LabelSelector; readonly namespaceSelector?: LabelSelector }
  | { readonly ipBlock: { readonly cidr: string; readonly except?: readonly string[] } };

/** `networking.k8s.io/v1` NetworkPolicy. */
export interface NetworkPolicySpec {
  readonly podSelector: LabelSelector;
  readonly policyTypes?: readonly ("Ingress" | "Egress")[];
  readonly ingress?: readonly {
    readonly from?: readonly NetworkPolicyPeer[];
    readonly ports?: readonly NetworkPolicyPort[];
  }[];
  readonly egress?: readonly {
    readonly to?: readonly NetworkPolicyPeer[];
    readonly ports?: readonly NetworkPolicyPort[];
  }[];
}

type PodsPeer = { readonly pods: { readonly namespaceSelector?: LabelSelector; readonly podSelector: LabelSelector } };
type NamespacesPeer = { readonly namespaces: LabelSelector };

/** Protocols of a ClusterNetworkPolicy's rule. */
export type ClusterProtocol =
  | { readonly tcp: { readonly destinationPort?: ClusterPort } }
  | { readonly udp: { readonly destinationPort?: ClusterPort } }
  | { readonly sctp: { readonly destinationPort?: ClusterPort } }
  | { readonly destinationNamedPort: string };
type ClusterPort = { readonly number: number } | { readonly range: { readonly start: number; readonly end: number } };

/** `policy.networking.k8s.io/v1alpha2` ClusterNetworkPolicy. */
export interface ClusterNetworkPolicySpec {
  readonly tier: "Admin" | "Baseline";
  readonly priority: number;
  readonly subject: NamespacesPeer | PodsPeer;
  readonly ingress?: readonly {
    readonly name?: string;
    readonly action: "Accept" | "Deny" | "Pass";
    readonly from: readonly (NamespacesPeer | PodsPeer)[];
    readonly protocols?: readonly ClusterProtocol[];
  }[];
  readonly egress?: readonly {
    readonly name?: string;
    readonly action: "Accept" | "Deny" | "Pass";
    readonly to: readonly (
      | NamespacesPeer
      | PodsPeer
      | { readonly nodes: LabelSelector }
      | { readonly networks: readonly string[] }
      | { readonly domainNames: readonly string[] }
    )[];
    readonly protocols?: readonly ClusterProtocol[];
  }[];
}

/** One end of a Calico rule. */
export interface CalicoEntity {
  readonly nets?: readonly string[];
  readonly notNets?: readonly string[];
  readonly selector?: string;
  readonly notSelector?: string;
  readonly namespaceSelector?: string;
  readonly ports?: readonly (number | string)[];
  readonly notPorts?: readonly (number | string)[];
  readonly serviceAccounts?: { readonly names?: readonly string[]; readonly selector?: string };
  readonly services?: { readonly name: string; readonly namespace?: string };
}

/** One rule of Calico's policies. */
export interface CalicoRule {
  readonly action: "Allow" | "Deny" | "Pass" | "Log";
  readonly protocol?: string | number;
  readonly notProtocol?: string | number;
  readonly ipVersion?: 4 | 6;
  readonly icmp?: { readonly type?: number; readonly code?: number };
  readonly notICMP?: { readonly type?: number; readonly code?: number };
  readonly source?: CalicoEntity;
  readonly destination?: CalicoEntity;
  readonly http?: {
    readonly methods?: readonly string[];
    readonly paths?: readonly ({ readonly exact: string } | { readonly prefix: string })[];
  };
  readonly metadata?: { readonly annotations?: LabelMap };
}

/** `projectcalico.org/v3` NetworkPolicy. */
export interface CalicoNetworkPolicySpec {
  readonly tier?: string;
  readonly order?: number;
  readonly selector?: string;
  readonly serviceAccountSelector?: string;
  readonly types?: readonly ("Ingress" | "Egress")[];
  readonly ingress?: readonly CalicoRule[];
  readonly egress?: readonly CalicoRule[];
  readonly performanceHints?: readonly "AssumeNeededOnEveryNode"[];
}

/** `projectcalico.org/v3` GlobalNetworkPolicy. */
export interface GlobalNetworkPolicySpec extends CalicoNetworkPolicySpec {
  readonly namespaceSelector?: string;
  readonly applyOnForward?: boolean;
  readonly doNotTrack?: boolean;
  readonly preDNAT?: boolean;
}

/** `cilium.io/v2`: one rule of one direction; peers and ports must both match. */
export interface CiliumPeers {
  readonly toPorts?: readonly {
    readonly ports?: readonly { readonly port: string; readonly protocol?: string; readonly endPort?: number }[];
    readonly rules?: object;
    readonly terminatingTLS?: object;
    readonly originatingTLS?: object;
    readonly serverNames?: readonly string[];
    readonly listener?: object;
  }[];
  readonly authentication?: { readonly mode: "disabled" | "required" | "test-always-fail" };
  readonly icmps?: readonly {
    readonly fields: readonly { readonly family?: "IPv4" | "IPv6"; readonly type: number | string }[];
  }[];
}
type CiliumCidrSet = readonly {
  readonly cidr?: string;
  readonly cidrGroupRef?: string;
  readonly cidrGroupSelector?: LabelSelector;
  readonly except?: readonly string[];
}[];

/** Who may come in. */
export interface CiliumIngress extends CiliumPeers {
  readonly fromEndpoints?: readonly LabelSelector[];
  readonly fromEntities?: readonly string[];
  readonly fromCIDR?: readonly string[];
  readonly fromCIDRSet?: CiliumCidrSet;
  readonly fromNodes?: readonly LabelSelector[];
  readonly fromGroups?: readonly object[];
}

/** Where may be gone to. */
export interface CiliumEgress extends CiliumPeers {
  readonly toEndpoints?: readonly LabelSelector[];
  readonly toEntities?: readonly string[];
  readonly toCIDR?: readonly string[];
  readonly toCIDRSet?: CiliumCidrSet;
  readonly toNodes?: readonly LabelSelector[];
  readonly toGroups?: readonly object[];
  readonly toServices?: readonly (
    | { readonly k8sService: { readonly serviceName: string; readonly namespace?: string } }
    | { readonly k8sServiceSelector: { readonly selector: LabelSelector; readonly namespace?: string } }
  )[];
  readonly toFQDNs?: readonly { readonly matchName?: string; readonly matchPattern?: string }[];
}

/** What both of Cilium's kinds say. */
export interface CiliumRules {
  readonly ingress?: readonly CiliumIngress[];
  readonly ingressDeny?: readonly CiliumIngress[];
  readonly egress?: readonly CiliumEgress[];
  readonly egressDeny?: readonly CiliumEgress[];
  readonly enableDefaultDeny?: { readonly ingress?: boolean; readonly egress?: boolean };
  readonly description?: string;
  readonly labels?: readonly { readonly key: string; readonly value?: string; readonly source?: string }[];
  readonly log?: { readonly value: string };
}

/** `cilium.io/v2` CiliumNetworkPolicy. */
export interface CiliumNetworkPolicySpec extends CiliumRules {
  readonly endpointSelector: LabelSelector;
}

/** `cilium.io/v2` CiliumClusterwideNetworkPolicy: about pods, or about nodes. */
export type CiliumClusterwideNetworkPolicySpec =
  | CiliumNetworkPolicySpec
  | (CiliumRules & { readonly nodeSelector: LabelSelector });
