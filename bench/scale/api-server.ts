/**
 * The API of a large cluster, in the node's own box: the embedded API server with all objects in it, and pods that come,
 * go and change at a given rate. Started by scale.ts: `api-server.ts PORT KUBECONFIG SIZE-AS-JSON`; a line
 * `{"perSecond":…,"seconds":…}` on standard input asks for changes, and what they took is the line that answers.
 */

import { createInterface } from "node:readline";
import { createEmbeddedApi } from "../../src/cluster/embedded/embedded-api.ts";
import type { Json, KubeObject, NewObject } from "../../src/cluster/embedded/types.ts";
import { type ChangeOrder, Changes } from "./changes.ts";
import {
  namespaceObject,
  nodeObject,
  nodeStatusOf,
  type PodPlace,
  placeOf,
  podObject,
  podStatusOf,
  podsOfNode,
  policyObjects,
  replicaSetObject,
  type ScaleSize,
  serviceObject,
  sliceObject,
} from "./cluster.ts";

const [port = "", kubeconfig = "", sizeText = "", addressesText = ""] = process.argv.slice(2);
const size = JSON.parse(sizeText) as ScaleSize;
const localAddresses = JSON.parse(addressesText) as readonly string[];
const api = await createEmbeddedApi({ historyEvents: 1 << 15 });
const { objects } = api;

function withStatus(object: NewObject, status: object): KubeObject {
  const { apiVersion, kind, metadata } = objects.create(object);
  const { name, namespace } = metadata;
  const ref = { apiVersion, kind, name, ...(namespace === undefined ? {} : { namespace }) };
  return objects.patch(ref, { status: status as Json }, "status");
}

for (let i = 0; i < size.namespaces; i++) {
  objects.create(namespaceObject(i));
  for (const policy of policyObjects(i)) objects.create(policy);
}
for (let i = 0; i < size.nodes; i++) withStatus(nodeObject(i), nodeStatusOf(i, i === 0 ? localAddresses : undefined));
const owners: string[] = [];
const services: string[] = [];
for (let i = 0; i < size.services; i++) {
  services.push(objects.create(serviceObject(size, i)).metadata.uid);
  owners.push(objects.create(replicaSetObject(size, i)).metadata.uid);
}
/** Of each service, in the order in which they came. */
const pods: PodPlace[][] = owners.map(() => []);
for (let i = 0; i < size.pods; i++) {
  const place = placeOf(size, i);
  const object = podObject(place, owners[place.service] ?? "");
  // Pods of the node have the addresses that they are given when they are attached.
  if (i < podsOfNode(size)) objects.create(object);
  else {
    withStatus(object, podStatusOf(place));
    pods[place.service]?.push(place);
  }
}
const changes = new Changes({ size, objects, owners, services, pods });
for (let i = 0; i < size.services; i++) objects.create(sliceObject(size, i, services[i] ?? "", pods[i] ?? []));
await api.listen({ host: "127.0.0.1", port: Number(port) });
await api.writeKubeconfig(kubeconfig, `https://127.0.0.1:${port}`);
console.log(JSON.stringify({ objects: api.stats().objects }));
for await (const line of createInterface({ input: process.stdin }))
  console.log(JSON.stringify(await changes.run(JSON.parse(line) as ChangeOrder)));
process.exit(0);
