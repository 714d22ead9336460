import assert from "node:assert/strict";
import { test } from "node:test";
import { createInterner } from "../../model/intern.ts";
import { readFileContent } from "./read-file.ts";

const read = (text: string) => readFileContent(text, createInterner());
const messages = (text: string) => read(text).broken.flatMap((b) => b.issues.map((i) => i.message));

test("merge keys are taken, as kubectl takes them", () => {
  const { objects } = read(`
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { namespace: a, name: p }
spec:
  podSelector: &web { matchLabels: { app: web } }
  ingress: [{ from: [{ podSelector: { <<: *web } }] }]
`);
  assert.deepEqual(objects[0]?.issues, []);
});

test("of a document that is no YAML the first mistake is told, and of a template that it is one", () => {
  const [only, ...more] = messages('{"apiVersion":"v1"}\n{"apiVersion":"v1"}\n');
  assert.match(only ?? "", /^Not YAML: Unexpected flow-map-start at node end at line 2, column 1$/);
  assert.deepEqual(more, []);
  const template = "{{- if .Values.x }}\napiVersion: v1\nmetadata:\n  name: {{ .Release.Name }}\n{{- end }}\n";
  assert.match(messages(template).join("\n"), /^Not YAML: .* at line 1, column 3\. A template is to be rendered first/);
});

test("aliases that would grow without end stay refused", () => {
  const bomb = `a: &a [x, x, x, x, x, x, x, x, x, x]
b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]
c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]
d: [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]
`;
  assert.match(messages(bomb).join(), /^Not YAML: Excessive alias count/);
  const merged = `a: &a { k: [x, x, x, x, x, x, x, x, x, x] }
b: &b { <<: *a, l: [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a] }
c: &c { <<: *b, m: [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b] }
d: { <<: *c, n: [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c] }
`;
  assert.match(messages(merged).join(), /^Not YAML: Excessive alias count/);
});
