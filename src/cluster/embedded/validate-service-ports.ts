/** What the server refuses in a Service's ports. */

import {
  duplicateValue,
  forbiddenValue,
  invalidValue,
  required,
  type StatusCause,
  unsupportedValue,
} from "./api-error.ts";
import type { Fields } from "./fields.ts";
import { DNS_LABEL, isPort, objects, PORT_RANGE } from "./words.ts";

/** Of containers' ports (RFC 6335 section 5.1). */
const PORT_NAME = /^(?=.*[a-z])(?!.*--)[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?$/;
const PROTOCOLS = ["SCTP", "TCP", "UDP"];

function checkTarget(p: Fields, field: string): StatusCause[] {
  const target = p["targetPort"];
  if (typeof target !== "string") return isPort(target) ? [] : [invalidValue(field, target, PORT_RANGE)];
  return PORT_NAME.test(target)
    ? []
    : [invalidValue(field, target, "must be a name of at most 15 lower case letters, digits and single hyphens")];
}

/** Everything that is wrong with them. @param hasNodePorts whether they may have node ports */
export function validateServicePorts(spec: Fields, hasNodePorts: boolean): StatusCause[] {
  const ports = objects(spec["ports"]);
  const isHeadless = spec["clusterIP"] === "None";
  if (ports.length === 0) return spec["type"] === "ExternalName" || isHeadless ? [] : [required("spec.ports")];
  const seen = { names: new Set<string>(), ports: new Set<string>(), nodePorts: new Set<string>() };
  const isNew = (set: Set<string>, key: string) => !set.has(key) && set.add(key);
  return ports.flatMap((p, i) => {
    const at = `spec.ports[${i}]`;
    const { name = "", port, protocol, nodePort } = p;
    const out: StatusCause[] = [];
    if (name === "") out.push(...(ports.length > 1 ? [required(`${at}.name`)] : []));
    else if (!DNS_LABEL.test(name)) out.push(invalidValue(`${at}.name`, name, "must be a lowercase RFC 1123 label"));
    else if (!isNew(seen.names, name)) out.push(duplicateValue(`${at}.name`, name));
    if (!isPort(port)) out.push(invalidValue(`${at}.port`, port, PORT_RANGE));
    if (!PROTOCOLS.includes(protocol)) out.push(unsupportedValue(`${at}.protocol`, protocol, PROTOCOLS));
    out.push(...checkTarget(p, `${at}.targetPort`));
    if (!isNew(seen.ports, `${protocol} ${port}`)) out.push(duplicateValue(at, { protocol, port }));
    if (!nodePort) return out;
    if (!hasNodePorts && spec["type"] !== "LoadBalancer")
      out.push(forbiddenValue(`${at}.nodePort`, `may not be used when \`type\` is '${spec["type"]}'`));
    if (!isNew(seen.nodePorts, `${protocol} ${nodePort}`)) out.push(duplicateValue(`${at}.nodePort`, nodePort));
    return out;
  });
}
