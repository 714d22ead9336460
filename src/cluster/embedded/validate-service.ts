/** What the server refuses in a Service: the rules of a real one (`ValidateService`, `ValidateServiceUpdate`), in its words. */

import { type Addr, parseAddr } from "../../net/addr.ts";
import { parseInterfaceAddr, prefix, prefixHas } from "../../net/prefix.ts";
import {
  duplicateValue,
  forbiddenValue,
  invalidValue,
  required,
  type StatusCause,
  unsupportedValue,
} from "./api-error.ts";
import { type Fields, isFields, jsonEqual } from "./fields.ts";
import { familyOf, hasClusterIp, hasHealthCheck, hasNodePorts, isAskedFromOutside } from "./service-change.ts";
import type { KubeObject } from "./types.ts";
import { validateLabels } from "./validate-meta.ts";
import { validateServicePorts } from "./validate-service-ports.ts";
import { SUBDOMAIN } from "./words.ts";

const TYPES = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const FAMILIES = ["IPv4", "IPv6"];
const FAMILY_POLICIES = ["PreferDualStack", "RequireDualStack", "SingleStack"];
const TRAFFIC_POLICIES = ["Cluster", "Local"];
const DISTRIBUTIONS = ["PreferClose", "PreferSameNode", "PreferSameZone"];
const TWO_FAMILIES = "must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified";
const MAX_AFFINITY_SECONDS = 86_400;

/** Where nobody outside can be: the zero address, loopbacks, links, groups. */
const NOT_EXTERNAL = ["0.0.0.0/32", "::/128", "127.0.0.0/8", "::1/128", "169.254.0.0/16", "fe80::/10"];
const GROUPS = ["224.0.0.0/4", "ff00::/8"];
const NOWHERE = [...NOT_EXTERNAL, ...GROUPS].map(prefix);

const texts = (value: unknown): readonly string[] => (Array.isArray(value) ? value.map(String) : []);

function addressOf(text: string): Addr | undefined {
  const found = parseAddr(text);
  return found.ok ? found.value : undefined;
}

function checkWord(spec: Fields, key: string, words: readonly string[], isNeeded = false): StatusCause[] {
  const value = spec[key];
  if (value === undefined || value === "") return isNeeded ? [required(`spec.${key}`)] : [];
  return words.includes(value) ? [] : [unsupportedValue(`spec.${key}`, value, words)];
}

function checkFamilies(families: readonly string[]): StatusCause[] {
  return families.flatMap((f, i): StatusCause[] => {
    const field = `spec.ipFamilies[${i}]`;
    if (!FAMILIES.includes(f)) return [unsupportedValue(field, f, FAMILIES)];
    return families.indexOf(f) < i ? [duplicateValue(field, f)] : [];
  });
}

function checkAddress(text: string, family: string | undefined, i: number): StatusCause[] {
  const field = `spec.clusterIPs[${i}]`;
  const a = addressOf(text);
  if (a === undefined) return [invalidValue(field, text, "must be a valid IP address")];
  if (family === undefined || family === `IPv${a.family}`) return [];
  return [invalidValue(field, text, `expected an ${family} value as indicated by \`ipFamilies[${i}]\``)];
}

function checkHeadless(ips: readonly string[], type: unknown): StatusCause[] {
  const out: StatusCause[] = [];
  if (type !== "ClusterIP")
    out.push(invalidValue("spec.clusterIPs[0]", "None", `may not be set to 'None' for ${type} services`));
  if (ips.length > 1)
    out.push(invalidValue("spec.clusterIPs", ips, "must have exactly one entry when `clusterIP` is set to None"));
  return out;
}

/** Addresses, their families and the policy about them have to say the same. */
function checkClusterIps(spec: Fields): StatusCause[] {
  const [ips, families] = [texts(spec["clusterIPs"]), texts(spec["ipFamilies"])];
  if (!hasClusterIp(spec))
    return ["clusterIPs", "ipFamilies", "ipFamilyPolicy"].flatMap((key) =>
      spec[key] === undefined ? [] : [forbiddenValue(`spec.${key}`, "may not be set for ExternalName services")],
    );
  const out = [...checkWord(spec, "ipFamilyPolicy", FAMILY_POLICIES), ...checkFamilies(families)];
  if (ips.length > 0 && ips[0] !== spec["clusterIP"])
    out.push(invalidValue("spec.clusterIPs", ips, "first value must match `clusterIP`"));
  if (ips[0] === "None") return [...out, ...checkHeadless(ips, spec["type"])];
  out.push(...ips.flatMap((text, i) => checkAddress(text, families[i], i)));
  if (ips.length > 2 || (ips.length === 2 && familyOf(ips[0] ?? "") === familyOf(ips[1] ?? "")))
    out.push(invalidValue("spec.clusterIPs", ips, "may specify no more than one IP for each IP family"));
  if (spec["ipFamilyPolicy"] === "SingleStack" && (families.length > 1 || ips.length > 1))
    out.push(invalidValue("spec.ipFamilyPolicy", "SingleStack", TWO_FAMILIES));
  return out;
}

function checkAffinity(spec: Fields): StatusCause[] {
  const out = checkWord(spec, "sessionAffinity", ["ClientIP", "None"], true);
  if (spec["sessionAffinity"] !== "ClientIP") return out;
  const seconds = spec["sessionAffinityConfig"]?.clientIP?.timeoutSeconds;
  if (Number.isInteger(seconds) && seconds > 0 && seconds <= MAX_AFFINITY_SECONDS) return out;
  const field = "spec.sessionAffinityConfig.clientIP.timeoutSeconds";
  return [...out, invalidValue(field, seconds, `must be greater than 0 and less than ${MAX_AFFINITY_SECONDS}`)];
}

function checkOutside(spec: Fields): StatusCause[] {
  const out: StatusCause[] = [];
  for (const [i, text] of texts(spec["externalIPs"]).entries()) {
    const a = addressOf(text);
    const field = `spec.externalIPs[${i}]`;
    if (a === undefined) out.push(invalidValue(field, text, "must be a valid IP address"));
    else if (NOWHERE.some((p) => prefixHas(p, a)))
      out.push(invalidValue(field, text, "may not be unspecified, in a loopback, link-local or multicast range"));
  }
  const isOutside = isAskedFromOutside(spec);
  if (isOutside) out.push(...checkWord(spec, "externalTrafficPolicy", TRAFFIC_POLICIES, true));
  else if (spec["externalTrafficPolicy"] !== undefined)
    out.push(
      invalidValue(
        "spec.externalTrafficPolicy",
        spec["externalTrafficPolicy"],
        "may only be set for externally-accessible services",
      ),
    );
  if (spec["healthCheckNodePort"] && !hasHealthCheck(spec))
    out.push(
      invalidValue(
        "spec.healthCheckNodePort",
        spec["healthCheckNodePort"],
        "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
      ),
    );
  return out;
}

function checkBalancer(spec: Fields): StatusCause[] {
  const out: StatusCause[] = [];
  const ranges = texts(spec["loadBalancerSourceRanges"]);
  if (spec["type"] !== "LoadBalancer")
    for (const key of ["loadBalancerSourceRanges", "allocateLoadBalancerNodePorts", "loadBalancerClass"])
      if (spec[key] !== undefined && !(Array.isArray(spec[key]) && spec[key].length === 0))
        out.push(forbiddenValue(`spec.${key}`, "may only be used when `type` is 'LoadBalancer'"));
  for (const [i, range] of ranges.entries())
    if (!range.includes("/") || !parseInterfaceAddr(range.trim()).ok)
      out.push(invalidValue(`spec.loadBalancerSourceRanges[${i}]`, range, "must be a valid CIDR value"));
  return out;
}

function checkName(spec: Fields): StatusCause[] {
  if (hasClusterIp(spec)) return [];
  const name = String(spec["externalName"] ?? "").replace(/\.$/, "");
  if (name === "") return [required("spec.externalName")];
  if (name.length <= 253 && SUBDOMAIN.test(name)) return [];
  return [invalidValue("spec.externalName", name, "must be a lowercase RFC 1123 subdomain")];
}

/** Addresses and their families stay while a service has any; only the second family may come and go. */
function checkChange(spec: Fields, old: Fields): StatusCause[] {
  const out: StatusCause[] = [];
  const isSame = (key: string) => jsonEqual(spec[key], old[key]);
  if (spec["type"] === "LoadBalancer" && old["type"] === "LoadBalancer" && !isSame("loadBalancerClass"))
    out.push(invalidValue("spec.loadBalancerClass", spec["loadBalancerClass"], "may not change once set"));
  if (!hasClusterIp(spec) || !hasClusterIp(old)) return out;
  for (const key of ["clusterIPs", "ipFamilies"]) {
    const [now, before] = [texts(spec[key]), texts(old[key])];
    for (const [i, value] of before.entries())
      if (now[i] !== undefined && now[i] !== value)
        out.push(invalidValue(`spec.${key}[${i}]`, now, "may not change once set"));
  }
  return out;
}

/** Everything that is wrong with a Service besides its metadata. @param object as `adaptService` has made it */
export function validateService(object: KubeObject, before: KubeObject | undefined): StatusCause[] {
  const spec: Fields = object["spec"] ?? {};
  const old: unknown = before?.["spec"];
  return [
    ...checkWord(spec, "type", TYPES, true),
    ...validateServicePorts(spec, hasNodePorts(spec)),
    ...validateLabels(spec["selector"], "spec.selector"),
    ...checkAffinity(spec),
    ...checkClusterIps(spec),
    ...checkOutside(spec),
    ...checkBalancer(spec),
    ...checkName(spec),
    ...checkWord(spec, "internalTrafficPolicy", TRAFFIC_POLICIES, hasClusterIp(spec)),
    ...checkWord(spec, "trafficDistribution", DISTRIBUTIONS),
    ...(isFields(old) ? checkChange(spec, old) : []),
  ];
}
