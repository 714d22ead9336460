import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { allowAll, answer, gnp, knp, np, type Setting, tier } from "../testing/calico-setting.ts";
import { outcomes } from "../testing/dialect-world.ts";

const says = (s: Setting, expected: Readonly<Record<string, string>>) =>
  assert.deepEqual(
    outcomes((line) => answer(s, line), Object.keys(expected)),
    expected,
  );

describe("order", () => {
  const sel = "app == 'web'";
  it("tiers stand by order, one without an order last, ties by name", () =>
    says(
      {
        tiers: [tier("late", {}), tier("b", { order: 5 }), tier("a", { order: 5 }), tier("soon", { order: 1 })],
        calico: [
          gnp("late", { tier: "late", selector: sel, ingress: [allowAll] }),
          gnp("b", { tier: "b", selector: sel, ingress: [{ action: "Deny", protocol: "TCP" }, { action: "Pass" }] }),
          gnp("a", { tier: "a", selector: sel, ingress: [{ action: "Allow", protocol: "TCP" }, { action: "Pass" }] }),
          gnp("soon", {
            tier: "soon",
            selector: sel,
            ingress: [{ action: "Deny", protocol: "UDP" }, { action: "Pass" }],
          }),
        ],
      },
      {
        "web <- db tcp/80": "+ a spec.ingress[0]",
        "web <- db udp/80": "- soon spec.ingress[0]",
        "web <- db sctp/80": "+ late spec.ingress[0]",
      },
    ));
  it("policies of a tier stand by order, one without an order last, ties by name", () =>
    says(
      {
        calico: [
          gnp("none", { ingress: [{ action: "Allow" }] }),
          gnp("b", { order: 5, ingress: [{ action: "Deny" }] }),
          gnp("a", { order: 5, ingress: [{ action: "Allow", protocol: "TCP" }] }),
          gnp("first", { order: -1.5, ingress: [{ action: "Deny", protocol: "UDP" }] }),
        ],
      },
      {
        "web <- db tcp/80": "+ a spec.ingress[0]",
        "web <- db udp/80": "- first spec.ingress[0]",
        "web <- db 47": "- b spec.ingress[0]",
      },
    ));
  it("rules of a policy stand in their order", () =>
    says(
      { calico: [np("p", { ingress: [{ action: "Deny", protocol: "TCP" }, { action: "Allow" }] })] },
      { "web <- db tcp/80": "- p spec.ingress[0]", "web <- db udp/80": "+ p spec.ingress[1]" },
    ));
  it("Kubernetes' policies stand in the tier default at order 1000", () =>
    says(
      {
        kubernetes: [knp("k", { podSelector: { matchLabels: { app: "web" } }, ingress: [{ ports: [{ port: 80 }] }] })],
        calico: [
          gnp("before", {
            order: 999,
            ingress: [
              { action: "Deny", protocol: "TCP", destination: { ports: [80] }, source: { selector: "app == 'db'" } },
            ],
          }),
          gnp("behind", { order: 1001, ingress: [{ action: "Allow", protocol: "UDP" }, { action: "Deny" }] }),
        ],
      },
      {
        "web <- db tcp/80": "- before spec.ingress[0]",
        "web <- bank tcp/80": "+ k spec.ingress[0]",
        "web <- bank udp/80": "+ behind spec.ingress[0]",
        "web <- bank tcp/81": "- behind spec.ingress[1]",
      },
    ));
  it("a tier called as one of Twill's own takes nothing over", () =>
    says(
      {
        tiers: [tier("admin", { order: 2_000_000 })],
        calico: [gnp("p", { tier: "admin", ingress: [{ action: "Deny" }] }), np("q", { ingress: [allowAll] })],
      },
      { "web <- db tcp/80": "+ q spec.ingress[0]", "bank <- db tcp/80": "- p spec.ingress[0]" },
    ));
});

describe("ends", () => {
  it("Pass goes to the next tier, past the rest of this one", () =>
    says(
      {
        tiers: [tier("t", { order: 1 })],
        calico: [
          gnp("p", { tier: "t", order: 1, ingress: [{ action: "Pass", protocol: "TCP" }] }),
          gnp("q", { tier: "t", order: 2, ingress: [{ action: "Deny" }] }),
          np("r", { ingress: [allowAll] }),
        ],
      },
      { "web <- db tcp/80": "+ r spec.ingress[0]", "web <- db udp/80": "- q spec.ingress[0]" },
    ));
  it("Pass in the last tier with policies ends in the profile, which allows", () =>
    says({ calico: [np("p", { ingress: [{ action: "Pass" }] })] }, { "web <- db tcp/80": "+" }));
  it("a tier in which a policy selects the endpoint and nothing matches denies at its end", () =>
    says(
      {
        tiers: [tier("t", { order: 1 })],
        calico: [gnp("p", { tier: "t", selector: "app == 'web'", ingress: [{ action: "Allow", protocol: "TCP" }] })],
      },
      { "web <- db udp/80": "- end of t", "db <- web udp/80": "+" },
    ));
  it("with defaultAction Pass it goes on instead", () =>
    says(
      {
        tiers: [tier("t", { order: 1, defaultAction: "Pass" })],
        calico: [
          gnp("p", { tier: "t", ingress: [{ action: "Deny", protocol: "TCP" }] }),
          np("q", { ingress: [allowAll] }),
        ],
      },
      {
        "web <- db tcp/80": "- p spec.ingress[0]",
        "web <- db udp/80": "+ q spec.ingress[0]",
        "bank <- db udp/80": "+",
      },
    ));
  it("a direction that no policy is about is left alone", () =>
    says(
      { calico: [np("p", { types: ["Ingress"] })] },
      { "web <- db tcp/80": "- end of default", "web -> db tcp/80": "+" },
    ));
  it("no policy at all: workloads allow", () => says({}, { "web <- db tcp/80": "+", "web -> outside udp/53": "+" }));
  it("Log goes on, and a policy that only logs ends in deny", () => {
    const calico = [np("p", { ingress: [{ action: "Log", protocol: "TCP" }] })];
    says({ calico }, { "web <- db tcp/80": "- end of default" });
    assert.equal(answer({ calico }, "web <- db tcp/80").logged, "p spec.ingress[0]");
    assert.equal(answer({ calico }, "web <- db udp/80").logged, "");
  });
});
