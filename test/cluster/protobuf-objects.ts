/** For tests: an object of each kind that both Kubernetes 1.20 and the embedded API have, with what people write in them. */

import { parseAllDocuments } from "yaml";
import type { Fields } from "../../src/cluster/embedded/fields.ts";

const POD_SPEC = `
  serviceAccountName: default
  terminationGracePeriodSeconds: 0
  nodeSelector: {kubernetes.io/os: linux}
  hostAliases: [{ip: 10.1.2.3, hostnames: [a.example, b.example]}]
  dnsPolicy: None
  dnsConfig: {nameservers: [10.96.0.10], searches: [x.example], options: [{name: ndots, value: "5"}, {name: edns0}]}
  tolerations: [{operator: Exists}, {key: a, operator: Equal, value: b, effect: NoExecute, tolerationSeconds: 0}]
  topologySpreadConstraints:
  - {maxSkew: 1, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway, labelSelector: {matchLabels: {a: b}}}
  affinity:
    nodeAffinity:
      requiredDuringSchedulingIgnoredDuringExecution:
        nodeSelectorTerms: [{matchExpressions: [{key: zone, operator: In, values: [a, b]}], matchFields: [{key: metadata.name, operator: In, values: [n]}]}]
      preferredDuringSchedulingIgnoredDuringExecution: [{weight: 7, preference: {matchExpressions: [{key: ssd, operator: Exists}]}}]
    podAntiAffinity:
      requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: host, namespaces: [web], labelSelector: {matchExpressions: [{key: a, operator: DoesNotExist}]}}]
  securityContext: {runAsUser: 0, runAsNonRoot: false, fsGroup: 5, supplementalGroups: [0, 7], sysctls: [{name: kernel.shm_rmid_forced, value: "0"}], seccompProfile: {type: RuntimeDefault}}
  imagePullSecrets: [{name: registry}]
  readinessGates: [{conditionType: example.com/ready}]
  volumes:
  - {name: empty, emptyDir: {medium: Memory, sizeLimit: 1Gi}}
  - {name: host, hostPath: {path: /run, type: Directory}}
  - {name: secret, secret: {secretName: s, defaultMode: 0, optional: true, items: [{key: k, path: p, mode: 256}]}}
  - {name: claim, persistentVolumeClaim: {claimName: c, readOnly: true}}
  - name: all
    projected:
      sources:
      - configMap: {name: m, items: [{key: a, path: b}]}
      - serviceAccountToken: {audience: x, expirationSeconds: 3600, path: token}
      - downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}, {path: cpu, resourceFieldRef: {containerName: main, resource: limits.cpu, divisor: 1m}}]}
  initContainers:
  - {name: first, image: "busybox:1", command: [sh, -c, "true"], envFrom: [{prefix: P_, configMapRef: {name: m, optional: false}}, {secretRef: {name: s}}]}
  containers:
  - name: main
    image: example.com/main@sha256:0000000000000000000000000000000000000000000000000000000000000000
    args: [""]
    workingDir: /
    tty: true
    stdin: true
    ports: [{name: web, containerPort: 80, hostPort: 8080, hostIP: 127.0.0.1}, {containerPort: 53, protocol: UDP}]
    env:
    - {name: PLAIN, value: "1"}
    - {name: EMPTY}
    - {name: FIELD, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
    - {name: KEY, valueFrom: {secretKeyRef: {name: s, key: k, optional: true}}}
    resources: {limits: {cpu: 100m, memory: 64Mi}, requests: {cpu: "0.05"}}
    volumeMounts: [{name: empty, mountPath: /e, subPath: a, mountPropagation: HostToContainer}, {name: host, mountPath: /h, readOnly: true}]
    livenessProbe: {httpGet: {path: /, port: web, httpHeaders: [{name: X, value: "y"}]}, initialDelaySeconds: 3}
    readinessProbe: {tcpSocket: {port: 80}, failureThreshold: 1}
    startupProbe: {exec: {command: ["true"]}}
    lifecycle: {preStop: {exec: {command: [sleep, "1"]}}, postStart: {httpGet: {port: 80}}}
    securityContext: {privileged: false, allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, runAsUser: 0, capabilities: {add: [NET_ADMIN], drop: [ALL]}, seLinuxOptions: {level: s0}, procMount: Default}`;

const indented = (text: string, by: number) => text.replaceAll("\n", `\n${" ".repeat(by)}`);
const TEMPLATE = `{metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i, ports: [{containerPort: 1}]}]}}`;

const YAML = `
{apiVersion: v1, kind: Namespace, metadata: {name: other, labels: {a: ""}}, status: {conditions: [{type: NamespaceDeletionContentFailure, status: "False", lastTransitionTime: "2024-01-02T03:04:05Z", reason: r, message: m}], phase: Active}}
---
apiVersion: v1
kind: Node
metadata: {name: node-9, annotations: {x: ""}}
spec: {podCIDR: 10.1.0.0/24, podCIDRs: [10.1.0.0/24, "fd00:1::/64"], providerID: p://1, unschedulable: true, taints: [{key: k, effect: NoSchedule, timeAdded: "2024-01-02T03:04:05Z"}]}
status:
  addresses: [{type: InternalIP, address: 192.168.7.9}, {type: Hostname, address: node-9}]
  capacity: {cpu: "2", memory: 1Gi, pods: "110"}
  allocatable: {cpu: 1900m}
  conditions: [{type: Ready, status: "True", lastHeartbeatTime: "2024-01-02T03:04:05Z", lastTransitionTime: "2024-01-02T03:04:05Z", reason: KubeletReady, message: "up"}]
  daemonEndpoints: {kubeletEndpoint: {Port: 10250}}
  images: [{names: [a, b], sizeBytes: 5000000000}]
  nodeInfo: {machineID: m, systemUUID: u, bootID: b, kernelVersion: k, osImage: o, containerRuntimeVersion: c, kubeletVersion: v1.20.2, kubeProxyVersion: v1.20.2, operatingSystem: linux, architecture: amd64}
---
apiVersion: v1
kind: Pod
metadata: {name: pod, namespace: web, labels: {a: b}, annotations: {x: ""}}
spec:${POD_SPEC}
status:
  phase: Running
  conditions: [{type: Ready, status: "True", lastTransitionTime: "2024-01-02T03:04:05Z"}]
  hostIP: 192.168.7.9
  podIP: 10.1.0.5
  podIPs: [{ip: 10.1.0.5}, {ip: "fd00:1::5"}]
  startTime: "2024-01-02T03:04:05Z"
  containerStatuses:
  - {name: main, ready: true, started: true, restartCount: 2, image: i, imageID: x, containerID: "c://1", state: {running: {startedAt: "2024-01-02T03:04:05Z"}}, lastState: {terminated: {exitCode: 137, reason: Error, startedAt: "2024-01-02T03:04:05Z", finishedAt: "2024-01-02T03:04:06Z"}}}
---
apiVersion: v1
kind: Service
metadata: {name: service, namespace: web}
spec: {type: LoadBalancer, selector: {a: b}, sessionAffinity: ClientIP, externalTrafficPolicy: Cluster, clusterIP: 10.96.7.7, externalIPs: [203.0.113.5], loadBalancerSourceRanges: [10.0.0.0/8], publishNotReadyAddresses: true, ports: [{name: web, port: 80, targetPort: web, nodePort: 30080}, {name: other, port: 81, targetPort: 8081, nodePort: 30081}]}
status: {loadBalancer: {ingress: [{ip: 203.0.113.9}]}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: robot, namespace: web}, automountServiceAccountToken: false, secrets: [{name: s}], imagePullSecrets: [{name: r}]}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: map, namespace: web}, data: {a: "", b: "ü\\n"}, binaryData: {c: AP8=}, immutable: false}
---
{apiVersion: v1, kind: Secret, metadata: {name: secret, namespace: web}, type: example.com/x, data: {a: AP8=, b: ""}}
---
{apiVersion: v1, kind: Event, metadata: {name: event, namespace: web}, involvedObject: {kind: Pod, namespace: web, name: pod}, reason: Started, message: m, source: {component: c, host: h}, firstTimestamp: "2024-01-02T03:04:05Z", lastTimestamp: "2024-01-02T03:04:06Z", count: 3, type: Normal, eventTime: "2024-01-02T03:04:05.123456Z", action: a, reportingComponent: example.com/c, reportingInstance: i}
---
{apiVersion: v1, kind: Endpoints, metadata: {name: service, namespace: web}, subsets: [{addresses: [{ip: 10.1.0.5, nodeName: node-9, targetRef: {kind: Pod, name: pod}}], notReadyAddresses: [{ip: 10.1.0.6, hostname: h}], ports: [{name: web, port: 80, protocol: TCP, appProtocol: http}]}]}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: claim, namespace: web}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}, storageClassName: "", volumeMode: Block, selector: {matchLabels: {a: b}}}, status: {phase: Pending}}
---
{apiVersion: v1, kind: PersistentVolume, metadata: {name: volume}, spec: {capacity: {storage: 1Gi}, accessModes: [ReadOnlyMany], persistentVolumeReclaimPolicy: Delete, storageClassName: x, mountOptions: [ro], csi: {driver: d, volumeHandle: v, volumeAttributes: {a: b}}, nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: k, operator: Exists}]}]}}, claimRef: {namespace: web, name: claim}}, status: {phase: Available}}
---
{apiVersion: v1, kind: LimitRange, metadata: {name: limits, namespace: other}, spec: {limits: [{type: Container, max: {cpu: "2"}, min: {cpu: 10m}, default: {cpu: "1"}, defaultRequest: {cpu: 100m}, maxLimitRequestRatio: {cpu: "20"}}]}}
---
{apiVersion: v1, kind: ResourceQuota, metadata: {name: quota, namespace: other}, spec: {hard: {pods: "5"}, scopeSelector: {matchExpressions: [{scopeName: PriorityClass, operator: In, values: [high]}]}}, status: {hard: {pods: "5"}, used: {pods: "0"}}}
---
{apiVersion: v1, kind: ReplicationController, metadata: {name: rc, namespace: web}, spec: {replicas: 0, selector: {a: b}, template: ${TEMPLATE}}, status: {replicas: 0}}
---
{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: ds, namespace: web}, spec: {selector: {matchLabels: {a: b}}, template: ${TEMPLATE}, updateStrategy: {type: RollingUpdate, rollingUpdate: {maxUnavailable: 10%}}, minReadySeconds: 3}, status: {currentNumberScheduled: 1, numberMisscheduled: 0, desiredNumberScheduled: 1, numberReady: 0}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: deployment, namespace: web}
spec:
  replicas: 0
  paused: true
  selector: {matchLabels: {a: b}, matchExpressions: [{key: c, operator: NotIn, values: [d]}]}
  strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 1}}
  template:
    metadata: {labels: {a: b}}
    spec:${indented(POD_SPEC, 4)}
status: {observedGeneration: 1, conditions: [{type: Available, status: "True", lastUpdateTime: "2024-01-02T03:04:05Z", lastTransitionTime: "2024-01-02T03:04:05Z"}], collisionCount: 0}
---
{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: rs, namespace: web}, spec: {replicas: 2, selector: {matchLabels: {a: b}}, template: ${TEMPLATE}}, status: {replicas: 2, readyReplicas: 1}}
---
{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: sts, namespace: web}, spec: {serviceName: s, replicas: 1, podManagementPolicy: Parallel, selector: {matchLabels: {a: b}}, template: ${TEMPLATE}, updateStrategy: {rollingUpdate: {partition: 0}}, volumeClaimTemplates: [{metadata: {name: v}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}]}, status: {replicas: 1, currentRevision: r}}
---
{apiVersion: batch/v1, kind: Job, metadata: {name: job, namespace: web}, spec: {parallelism: 0, completions: 3, backoffLimit: 0, ttlSecondsAfterFinished: 0, template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}, status: {active: 1, startTime: "2024-01-02T03:04:05Z"}}
---
{apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: lease, namespace: web}, spec: {holderIdentity: h, leaseDurationSeconds: 15, leaseTransitions: 0, acquireTime: "2024-01-02T03:04:05.000001Z", renewTime: "2024-01-02T03:04:05.999999Z"}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: policy, namespace: web}
spec:
  podSelector: {matchExpressions: [{key: a, operator: Exists}]}
  policyTypes: [Ingress, Egress]
  ingress:
  - {}
  - {from: [{podSelector: {}}, {namespaceSelector: {matchLabels: {x: "y"}}, podSelector: {matchLabels: {a: b}}}], ports: [{port: web}, {protocol: UDP, port: 53}, {protocol: SCTP}]}
  egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}, {ipBlock: {cidr: "fd00::/8"}}]}]
---
{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: ingress, namespace: web}, spec: {ingressClassName: c, tls: [{hosts: [a.example], secretName: s}], defaultBackend: {resource: {apiGroup: example.com, kind: Bucket, name: b}}, rules: [{host: a.example, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: s, port: {name: web}}}}, {pathType: ImplementationSpecific, backend: {service: {name: s, port: {number: 80}}}}]}}]}, status: {loadBalancer: {ingress: [{hostname: h}]}}}
---
{apiVersion: networking.k8s.io/v1, kind: IngressClass, metadata: {name: class}, spec: {controller: example.com/c, parameters: {apiGroup: example.com, kind: P, name: p}}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: role, namespace: web}, rules: [{apiGroups: ["", apps], resources: [pods], resourceNames: [p], verbs: ["*"]}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: binding, namespace: web}, subjects: [{kind: ServiceAccount, name: robot, namespace: web}, {kind: User, name: u}], roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: role}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: cluster-role}, rules: [{nonResourceURLs: [/x], verbs: [get]}], aggregationRule: {clusterRoleSelectors: [{matchLabels: {a: b}}]}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: cluster-binding}, subjects: [{kind: Group, apiGroup: rbac.authorization.k8s.io, name: g}], roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-role}}
---
{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: high}, value: -5, description: d, preemptionPolicy: Never}
---
{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: fast}, provisioner: example.com/p, parameters: {a: b}, reclaimPolicy: Retain, mountOptions: [ro], allowVolumeExpansion: false, volumeBindingMode: WaitForFirstConsumer, allowedTopologies: [{matchLabelExpressions: [{key: k, values: [v]}]}]}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: things, kind: Thing, shortNames: [th], categories: [all]}
  versions:
  - name: v1
    served: true
    storage: true
    additionalPrinterColumns: [{name: Size, type: integer, jsonPath: .spec.size, priority: 1}]
    subresources: {status: {}, scale: {specReplicasPath: .spec.size, statusReplicasPath: .status.size}}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            required: [size]
            properties:
              size: {type: integer, minimum: 0, maximum: 9.5, default: 0}
              port: {x-kubernetes-int-or-string: true, anyOf: [{type: integer}, {type: string}]}
              any: {type: object, x-kubernetes-preserve-unknown-fields: true}
              map: {type: object, additionalProperties: {type: string, enum: [a, b], nullable: true}}
              list: {type: array, maxItems: 3, x-kubernetes-list-type: map, x-kubernetes-list-map-keys: [k], items: {type: object, required: [k], properties: {k: {type: string, pattern: "^a"}}}}
              default: {type: object, default: {a: [1, null, "x"]}, x-kubernetes-preserve-unknown-fields: true}
`;

/** In an order in which they can be created. */
export const PROTOBUF_OBJECTS: readonly Fields[] = parseAllDocuments(YAML).map((d) => d.toJS() as Fields);
