/** The parts of a Pod object that make it as large as it is: managed fields, a container with everything, conditions. */

type Json = Readonly<Record<string, unknown>>;

const FIELD = (names: readonly string[]): Json => Object.fromEntries(names.map((name) => [`f:${name}`, {}]));

/** What the controller of the pod's owner and a kubelet wrote. @param owner uid of the ReplicaSet */
export function managedFieldsOf(owner: string, time: string): readonly Json[] {
  const container = {
    ".": {},
    ...FIELD(["args", "image", "imagePullPolicy", "livenessProbe", "name", "readinessProbe", "securityContext"]),
    "f:env": Object.fromEntries(
      Array.from({ length: 12 }, (_, i) => [`k:{"name":"SETTING_${i}"}`, { ".": {}, ...FIELD(["name", "value"]) }]),
    ),
    "f:ports": Object.fromEntries(
      [8080, 9090].map((port) => [
        `k:{"containerPort":${port},"protocol":"TCP"}`,
        { ".": {}, ...FIELD(["containerPort", "name", "protocol"]) },
      ]),
    ),
    "f:resources": { ".": {}, "f:limits": FIELD(["memory"]), "f:requests": FIELD(["cpu", "memory"]) },
    "f:volumeMounts": { ".": {}, 'k:{"mountPath":"/etc/app"}': FIELD(["mountPath", "name", "readOnly"]) },
  };
  return [
    {
      manager: "kube-controller-manager",
      operation: "Update",
      apiVersion: "v1",
      time,
      fieldsType: "FieldsV1",
      fieldsV1: {
        "f:metadata": {
          "f:annotations": { ".": {}, ...FIELD(["checksum/config", "prometheus.io/port", "prometheus.io/scrape"]) },
          "f:generateName": {},
          "f:labels": {
            ".": {},
            ...FIELD([
              "app",
              "app.kubernetes.io/name",
              "app.kubernetes.io/part-of",
              "pod-template-hash",
              "tier",
              "version",
            ]),
          },
          "f:ownerReferences": { ".": {}, [`k:{"uid":"${owner}"}`]: {} },
        },
        "f:spec": {
          "f:containers": { 'k:{"name":"app"}': container, 'k:{"name":"proxy"}': container },
          ...FIELD(["dnsPolicy", "enableServiceLinks", "restartPolicy", "schedulerName", "securityContext"]),
          "f:volumes": { ".": {}, 'k:{"name":"config"}': { ".": {}, "f:configMap": FIELD(["defaultMode", "name"]) } },
        },
      },
    },
    {
      manager: "kubelet",
      operation: "Update",
      apiVersion: "v1",
      time,
      fieldsType: "FieldsV1",
      fieldsV1: {
        "f:status": {
          "f:conditions": Object.fromEntries(
            ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady"].map((type) => [
              `k:{"type":"${type}"}`,
              { ".": {}, ...FIELD(["lastProbeTime", "lastTransitionTime", "status", "type"]) },
            ]),
          ),
          ...FIELD(["containerStatuses", "hostIP", "hostIPs", "phase", "podIP", "podIPs", "startTime"]),
        },
      },
      subresource: "status",
    },
  ];
}

function containerSpec(name: string, app: string, http: number): Json {
  const probe = { httpGet: { path: "/healthz", port: "http", scheme: "HTTP" }, initialDelaySeconds: 5 };
  return {
    name,
    image: `registry.example.com/shop/${app}-${name}:1.4.2`,
    args: ["--config=/etc/app/config.yaml", "--log-format=json"],
    ports: [
      { name: name === "app" ? "http" : "proxy", containerPort: http, protocol: "TCP" },
      { name: name === "app" ? "metrics" : "stats", containerPort: http + 1010, protocol: "TCP" },
    ],
    env: Array.from({ length: 12 }, (_, i) => ({ name: `SETTING_${i}`, value: `value-of-${app}-${i}` })),
    resources: { limits: { memory: "512Mi" }, requests: { cpu: "100m", memory: "256Mi" } },
    livenessProbe: probe,
    readinessProbe: probe,
    volumeMounts: [
      { name: "config", readOnly: true, mountPath: "/etc/app" },
      { name: "kube-api-access", readOnly: true, mountPath: "/var/run/secrets/kubernetes.io/serviceaccount" },
    ],
    securityContext: { runAsNonRoot: true, allowPrivilegeEscalation: false, readOnlyRootFilesystem: true },
  };
}

/** @param id of the token's volume */
export function podSpec(app: string, nodeName: string, id: string): Json {
  return {
    nodeName,
    serviceAccountName: app,
    containers: [containerSpec("app", app, 8080), containerSpec("proxy", app, 15001)],
    volumes: [
      { name: "config", configMap: { name: `${app}-config`, defaultMode: 420 } },
      {
        name: "kube-api-access",
        projected: {
          defaultMode: 420,
          sources: [
            { serviceAccountToken: { expirationSeconds: 3607, path: "token" } },
            { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
          ],
        },
      },
      { name: `scratch-${id}`, emptyDir: {} },
    ],
    tolerations: ["not-ready", "unreachable"].map((key) => ({
      key: `node.kubernetes.io/${key}`,
      operator: "Exists",
      effect: "NoExecute",
      tolerationSeconds: 300,
    })),
  };
}

/** What a kubelet says of a running pod. */
export function podStatus(app: string, hostIP: string, ips: readonly string[], time: string, id: string): Json {
  const condition = (type: string) => ({ type, status: "True", lastProbeTime: null, lastTransitionTime: time });
  return {
    phase: "Running",
    conditions: ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"].map(condition),
    hostIP,
    hostIPs: [{ ip: hostIP }],
    podIP: ips[0],
    podIPs: ips.map((ip) => ({ ip })),
    startTime: time,
    containerStatuses: ["app", "proxy"].map((name) => ({
      name,
      state: { running: { startedAt: time } },
      lastState: {},
      ready: true,
      restartCount: 0,
      image: `registry.example.com/shop/${app}-${name}:1.4.2`,
      imageID: `registry.example.com/shop/${app}-${name}@sha256:${"5f".repeat(32)}`,
      containerID: `containerd://${id.replaceAll("-", "").repeat(2)}`,
      started: true,
    })),
    qosClass: "Burstable",
  };
}
