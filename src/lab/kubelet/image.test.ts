import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../cluster/embedded/types.ts";
import { type ContainerSpec, containerCommand, expand } from "./image.ts";

const pod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "a", namespace: "ns", uid: "u", labels: { app: "web" } },
  spec: { nodeName: "node-1" },
} as unknown as KubeObject;
const where = { podIPs: ["10.0.0.1", "fd00::1"], hostIP: "192.0.2.1" };

function command(container: ContainerSpec) {
  const r = containerCommand(pod, container, where);
  assert.ok(r.ok, JSON.stringify(r));
  return r.value;
}

test("containerCommand() expands variables and fields as Kubernetes does", () => {
  const got = command({
    name: "c",
    command: ["run", "$(A)/$(B)", "$$(A)", "$(UNKNOWN)"],
    args: ["$(IPS)"],
    env: [
      { name: "A", value: "1" },
      { name: "B", value: "$(A)2" },
      { name: "IPS", valueFrom: { fieldRef: { fieldPath: "status.podIPs" } } },
      { name: "APP", valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } },
    ],
  });
  assert.deepEqual(got.argv, ["run", "1/12", "$(A)", "$(UNKNOWN)", "10.0.0.1,fd00::1"]);
  assert.equal(got.env["APP"], "web");
  assert.equal(got.env["HOSTNAME"], "a");
});

test("the echo image serves every containerPort by its protocol under the pod's name", () => {
  const got = command({
    name: "c",
    image: "twill.dev/echo:1",
    ports: [{ containerPort: 80 }, { containerPort: 53, protocol: "UDP" }],
  });
  assert.equal(got.env["ECHO_PORTS"], "80/TCP,53/UDP");
  assert.equal(got.env["ECHO_NAME"], "ns/a");
  assert.ok(got.readyLine?.test("ready: ns/a serves 80/TCP"));
});

test("an image that the lab does not have is refused with what to do; pause pauses", () => {
  const r = containerCommand(pod, { name: "web", image: "nginx" }, where);
  assert.match(
    JSON.stringify(r),
    /give container \\"web\\" a command, or the image \\"twill.dev\/echo\\" instead of \\"nginx\\"/,
  );
  assert.deepEqual(command({ name: "p", image: "registry.k8s.io/pause:3.9" }).argv, ["sleep", "infinity"]);
});

test("expand() leaves lone dollar signs alone", () => {
  assert.equal(expand("$ $$ $x $(", {}), "$ $ $x $(");
});
