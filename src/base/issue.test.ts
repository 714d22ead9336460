import assert from "node:assert/strict";
import { it } from "node:test";
import { formatIssues } from "./issue.ts";

it("formatIssues() writes one line for each issue, the path first where there is one", () => {
  assert.equal(formatIssues([]), "");
  const issues = [
    { path: "spec.pools[2].cidr", message: '"x" is not a CIDR' },
    { path: "", message: "An object is wanted" },
  ];
  assert.equal(formatIssues(issues), 'spec.pools[2].cidr: "x" is not a CIDR\nAn object is wanted');
});
