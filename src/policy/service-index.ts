/** The backends of services and the labels of accounts, for translations: the same answer for as long as it is the same. */

import type { EndpointSlice } from "../model/endpoint-slice.ts";
import type { Service } from "../model/service.ts";
import type { ServiceAccount } from "../model/service-account.ts";
import type { Addr } from "../net/addr.ts";
import type { LabelMap } from "./label-expr.ts";
import type { ObjectTable } from "./translated.ts";

/** One address behind a service, once for each port. */
export interface ServiceBackend {
  readonly addr: Addr;
  /** IANA number; undefined: the service names no ports. */
  readonly protocol: number | undefined;
  /** undefined: every port. */
  readonly port: number | undefined;
}

/** Tables that are followed only where a policy asks for them. undefined: what they hold is not known. */
export interface ServiceObjects {
  readonly services: ObjectTable<Service> | undefined;
  readonly endpointSlices: ObjectTable<EndpointSlice> | undefined;
  readonly serviceAccounts: ObjectTable<ServiceAccount> | undefined;
}

/** Names of those tables. */
export type ServiceTable = keyof ServiceObjects;

const NO_ACCOUNTS: ReadonlyMap<string, LabelMap> = new Map();

function backendsOf(slices: Iterable<EndpointSlice>): readonly ServiceBackend[] {
  return [...slices].flatMap(({ endpoints, ports }) =>
    endpoints
      .flatMap(({ addr, others }) => [addr, ...others])
      .flatMap((addr): ServiceBackend[] =>
        ports.length === 0
          ? [{ addr, protocol: undefined, port: undefined }]
          : ports.map((p) => ({ addr, protocol: p.protocol, port: p.port })),
      ),
  );
}

const textOf = (list: readonly ServiceBackend[]) =>
  list
    .map((b) => `${b.addr.text} ${b.protocol} ${b.port}`)
    .sort()
    .join();

/** See the file's comment. */
export class ServiceIndex {
  /** Tables that somebody has asked for, once and for all. */
  readonly wanted = new Set<ServiceTable>();
  /** Another number whenever an answer may be another. */
  revision = 0;
  #slices: ObjectTable<EndpointSlice> | undefined;
  readonly #byService = new Map<string, Map<string, EndpointSlice>>();
  readonly #backends = new Map<string, { readonly list: readonly ServiceBackend[]; readonly text: string }>();
  #services: ObjectTable<Service> | undefined;
  #serviceList: readonly Service[] | undefined;
  #accounts: ObjectTable<ServiceAccount> | undefined;
  #accountLabels = NO_ACCOUNTS;

  update(objects: ServiceObjects): void {
    this.#takeSlices(objects.endpointSlices);
    if (objects.services !== this.#services) {
      this.revision++;
      this.#services = objects.services;
      this.#serviceList = objects.services === undefined ? undefined : [...objects.services];
    }
    if (objects.serviceAccounts !== this.#accounts) {
      this.#accounts = objects.serviceAccounts;
      this.#takeAccounts(objects.serviceAccounts ?? []);
    }
  }

  /** The same list for as long as the service has the same; undefined: not known. */
  backends(namespace: string, name: string): readonly ServiceBackend[] | undefined {
    this.wanted.add("endpointSlices");
    if (this.#slices === undefined) return undefined;
    const key = `${namespace}/${name}`;
    const known = this.#backends.get(key);
    if (known !== undefined) return known.list;
    const list = backendsOf(this.#byService.get(key)?.values() ?? []);
    this.#backends.set(key, { list, text: textOf(list) });
    return list;
  }

  /** All services; undefined: not known. */
  services(): readonly Service[] | undefined {
    this.wanted.add("services");
    return this.#serviceList;
  }

  /** Labels of the accounts that have some, by `namespace/name`: the same map for as long as they are the same. */
  accountLabels(): ReadonlyMap<string, LabelMap> {
    return this.#accountLabels;
  }

  #takeSlices(slices: ObjectTable<EndpointSlice> | undefined): void {
    const before = this.#slices;
    if (slices === before) return;
    this.revision++;
    this.#slices = slices;
    const changed = new Set<string>();
    const put = (slice: EndpointSlice, isThere: boolean) => {
      const key = `${slice.namespace}/${slice.service}`;
      const of = this.#byService.get(key) ?? new Map<string, EndpointSlice>();
      if (isThere) this.#byService.set(key, of.set(slice.name, slice));
      else of.delete(slice.name);
      if (of.size === 0) this.#byService.delete(key);
      changed.add(key);
    };
    if (slices?.changesSince !== undefined && before?.changesSince !== undefined)
      for (const { before: old, after } of slices.changesSince(before)) {
        if (old !== undefined) put(old, false);
        if (after !== undefined) put(after, true);
      }
    else {
      for (const key of this.#backends.keys()) changed.add(key);
      this.#byService.clear();
      for (const slice of slices ?? []) put(slice, true);
    }
    for (const key of changed) this.#renew(key);
  }

  /** What nobody has asked for is not made. */
  #renew(key: string): void {
    const known = this.#backends.get(key);
    if (known === undefined) return;
    const list = backendsOf(this.#byService.get(key)?.values() ?? []);
    const text = textOf(list);
    if (text !== known.text) this.#backends.set(key, { list, text });
  }

  #takeAccounts(accounts: Iterable<ServiceAccount>): void {
    const now = new Map<string, LabelMap>();
    for (const { namespace, name, labels } of accounts) if (labels.size > 0) now.set(`${namespace}/${name}`, labels);
    const before = this.#accountLabels;
    const isSame = now.size === before.size && [...now].every(([key, labels]) => before.get(key) === labels);
    if (!isSame) this.#accountLabels = now;
  }
}
