/** What `iptables-save` prints, and the input of `iptables-restore` that takes kube-proxy's part of it away. Pure. */

/** One table as it was saved. */
export interface SavedTable {
  readonly name: string;
  readonly chains: readonly string[];
  /** Lines of rules, as `-A PREROUTING -j KUBE-SERVICES`. */
  readonly rules: readonly string[];
}

/** How to take kube-proxy out of one table. */
export interface TableCleanup {
  readonly table: string;
  /** Chains of kube-proxy's that can go. */
  readonly chains: readonly string[];
  /** Rules of the kernel's own chains that lead into them. */
  readonly jumps: readonly string[];
  /** Chains that stay, since somebody else's rule leads into them. */
  readonly kept: readonly { readonly chain: string; readonly rule: string }[];
}

/** Chains that kube-proxy makes; those of kubelet (KUBE-FIREWALL, KUBE-KUBELET-CANARY, KUBE-IPTABLES-HINT, KUBE-MARK-DROP) are none. */
const CHAIN =
  /^KUBE-(SERVICES|EXTERNAL-SERVICES|NODEPORTS|POSTROUTING|MARK-MASQ|FORWARD|PROXY-FIREWALL|PROXY-CANARY|LOAD-BALANCER|NODE-PORT|SOURCE-RANGES-FIREWALL|IPVS-FILTER|IPVS-OUT-FILTER|(SVC|SVL|SEP|FW|XLB|EXT)-[A-Z0-9]+)$/;
/** The kernel's own. */
const BUILT_IN: ReadonlySet<string> = new Set(["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"]);

/** Reads what `iptables-save` prints. Lines that it does not know are left out. */
export function parseSaved(text: string): SavedTable[] {
  const tables: { name: string; chains: string[]; rules: string[] }[] = [];
  for (const line of text.split("\n")) {
    const table = tables.at(-1);
    if (line.startsWith("*")) tables.push({ name: line.slice(1).trim(), chains: [], rules: [] });
    else if (line.startsWith(":")) table?.chains.push(line.slice(1).split(" ")[0] ?? "");
    else if (line.startsWith("-A ")) table?.rules.push(line);
  }
  return tables;
}

/** Words of a rule's line, quoted ones whole: a comment may hold what looks like a target. */
function words(rule: string): string[] {
  return rule.match(/"(?:\\.|[^"\\])*"|\S+/g) ?? [];
}

/** Where a rule sends its packets; `""`: nowhere else. */
function targetOf(rule: string): string {
  const all = words(rule);
  const at = all.findIndex((w) => w === "-j" || w === "-g");
  return at < 0 ? "" : (all[at + 1] ?? "");
}

const chainOf = (rule: string) => words(rule)[1] ?? "";

/** What of a table is kube-proxy's; undefined: nothing. */
export function planTable({ name, chains, rules }: SavedTable): TableCleanup | undefined {
  const own = new Set(chains.filter((c) => CHAIN.test(c)));
  const jumps: string[] = [];
  const kept = new Map<string, string>();
  for (const rule of rules) {
    const [from, to] = [chainOf(rule), targetOf(rule)];
    if (own.has(from) || !own.has(to)) continue;
    if (BUILT_IN.has(from)) jumps.push(rule);
    else kept.set(to, rule);
  }
  // What a kept chain leads into stays as well: it is whole or it is not there.
  for (let isMore = true; isMore; ) {
    isMore = false;
    for (const rule of rules) {
      const [from, to] = [chainOf(rule), targetOf(rule)];
      if (!kept.has(from) || !own.has(to) || kept.has(to)) continue;
      kept.set(to, rule);
      isMore = true;
    }
  }
  const gone = [...own].filter((c) => !kept.has(c));
  if (gone.length === 0 && jumps.length === 0) return undefined;
  const leadsToKept = (rule: string) => kept.has(targetOf(rule));
  return {
    table: name,
    chains: gone,
    jumps: jumps.filter((rule) => !leadsToKept(rule)),
    kept: Array.from(kept, ([chain, rule]) => ({ chain, rule })),
  };
}

/** Input of `iptables-restore --noflush`: each table changes at once, and nothing else in it does. */
export function restoreInput(plans: readonly TableCleanup[]): string {
  return plans
    .filter((p) => p.chains.length > 0 || p.jumps.length > 0)
    .map(({ table, chains, jumps }) =>
      [
        `*${table}`,
        // Naming a chain empties it: then none leads into another, and all can go.
        ...chains.map((c) => `:${c} - [0:0]`),
        ...jumps.map((rule) => rule.replace(/^-A /, "-D ")),
        ...chains.map((c) => `-X ${c}`),
        "COMMIT",
        "",
      ].join("\n"),
    )
    .join("");
}

/** Tables of nftables' own that kube-proxy makes, from what `nft list tables` prints. */
export function nftTables(text: string): string[] {
  return text
    .split("\n")
    .flatMap((line) => (/^table (ip6?) kube-proxy$/.test(line.trim()) ? [line.trim().slice(6)] : []));
}
