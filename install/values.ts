/** What a user of the chart may set, what it is when not set, and why: the one source of chart, schema and manifest. */

import { VERSION } from "../src/base/version.ts";

/** One value of the chart. */
export interface ValueSpec {
  readonly what: string;
  readonly fallback: string | number | boolean | object;
  /** JSON Schema of the value. */
  readonly schema: object;
}

const text = { type: "string", minLength: 1 };
const path = { type: "string", pattern: "^/" };

/** Every value, in the order in which they are documented. */
export const VALUES = {
  image: { what: "The image of agent and install step", fallback: `twill.dev/twill:${VERSION}`, schema: text },
  imagePullPolicy: {
    what: "When the kubelet pulls the image",
    fallback: "IfNotPresent",
    schema: { enum: ["Always", "IfNotPresent", "Never"] },
  },
  config: {
    what: "The agent's configuration: any key of docs/configuration.md",
    fallback: {},
    schema: { type: "object" },
  },
  apiServer: {
    what: "https://HOST:PORT of the API, which agents use instead of its Service: for clusters without kube-proxy. Empty: the Service",
    fallback: "",
    schema: { type: "string", pattern: "^(https://.+)?$" },
  },
  resources: {
    what: "Requests and limits of the agent. No limit of CPU: a throttled agent starts pods late",
    fallback: { requests: { cpu: "100m", memory: "100Mi" }, limits: { memory: "500Mi" } },
    schema: { type: "object" },
  },
  maxUnavailable: {
    what: "How many nodes' agents an update replaces at once; pods keep their network meanwhile",
    fallback: "20%",
    schema: {
      anyOf: [
        { type: "integer", minimum: 1 },
        { type: "string", pattern: "^(100|[1-9][0-9]?)%$" },
      ],
    },
  },
  cniBinDir: { what: "Where the runtime of the nodes looks for plugins", fallback: "/opt/cni/bin", schema: path },
  cniConfDir: {
    what: "Where the runtime of the nodes looks for network configurations",
    fallback: "/etc/cni/net.d",
    schema: path,
  },
} as const satisfies Readonly<Record<string, ValueSpec>>;

/** Name of a value. */
export type ValueName = keyof typeof VALUES;

/** A place in an object where a value goes. */
export class ValuePlace {
  readonly name: ValueName;
  /** The value as YAML in a string, rather than as itself. */
  readonly isText: boolean;

  constructor(name: ValueName, isText: boolean) {
    this.name = name;
    this.isText = isText;
  }
}

/** The value itself. */
export function value(name: ValueName): ValuePlace {
  return new ValuePlace(name, false);
}

/** The value as YAML text. */
export function yamlText(name: ValueName): ValuePlace {
  return new ValuePlace(name, true);
}
