/** Names for what events have numbers and addresses of: pods and nodes, rules and their objects. */

import type { AddressName, EventNames, RuleName } from "../../flow/told.ts";
import type { Endpoint } from "../../model/endpoint.ts";
import { podKey } from "../../model/pod.ts";
import type { Addr } from "../../net/addr.ts";
import { refText } from "../../policy/order.ts";
import type { FoundRule } from "../../policy/rule-book.ts";

/** What policy knows. */
export interface NameSource {
  /** Whose facts count for an address, as `pod default/a`, `node n` or `endpoint 7`. */
  ownerAt(addr: Addr): string | undefined;
  /** The attachment of this node that has an address. */
  endpointAt(addr: Addr): Endpoint | undefined;
  rule(number: number): FoundRule | undefined;
  /** Why an attachment is closed; undefined: it is not. */
  whyClosed(id: number): string | undefined;
}

/** `namespace/name` of an attachment's pod; the container where the runtime named no pod. */
export function endpointName(e: Pick<Endpoint, "podNamespace" | "podName" | "containerId">): string {
  return e.podName === undefined ? e.containerId : podKey(e.podNamespace ?? "", e.podName);
}

/** A rule with the name of its object. */
function ruleName({ info, isCurrent }: FoundRule): RuleName {
  return {
    object: info.ref === undefined ? undefined : refText(info.ref),
    path: info.path,
    name: info.name,
    isolatedBy: info.isolatedBy.map(refText),
    isCurrent,
  };
}

/** @param source undefined while policy is not known: then nothing has a name */
export function eventNames(source: () => NameSource | undefined): EventNames {
  return {
    at(addr): AddressName | undefined {
      const owner = source()?.ownerAt(addr);
      const space = owner?.indexOf(" ") ?? -1;
      const [kind, name] = [owner?.slice(0, space), owner?.slice(space + 1) ?? ""];
      if (kind === "pod" || kind === "node") return { kind, name };
      // An attachment of which nothing is known has no facts either.
      const e = source()?.endpointAt(addr);
      return e === undefined ? undefined : { kind: "pod", name: endpointName(e) };
    },
    rule(number) {
      const found = source()?.rule(number);
      return found === undefined ? undefined : ruleName(found);
    },
    whyClosed(addr) {
      const e = source()?.endpointAt(addr);
      if (e !== undefined) return source()?.whyClosed(e.id) ?? "its verdicts were being written";
      if (this.at(addr)?.kind === "node") return "the node's verdicts were being written";
      return "no pod of this node has the address any more";
    },
  };
}
