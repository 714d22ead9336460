/** Shell completion: generated from the commands themselves, so that it can never lag behind. */

import type { Command } from "commander";
import { BPF_MAPS } from "../net/gen/bpf-maps.ts";

/** Shells that are served. */
const SHELLS = ["bash", "zsh", "fish"] as const;
/** One of {@link SHELLS}. */
export type Shell = (typeof SHELLS)[number];

/** What may follow some words of a command line. */
interface Node {
  /** `bpf dump`; empty for the program itself. */
  readonly path: string;
  readonly words: readonly { readonly word: string; readonly help: string }[];
}

const ARGUMENTS: Readonly<Record<string, readonly string[]>> = {
  "bpf dump": Object.keys(BPF_MAPS),
  completion: SHELLS,
};

function oneLine(text: string): string {
  return text.replace(/[^A-Za-z0-9 ,.()/_=-]/g, "").slice(0, 72);
}

/** Every command with what may follow it. */
function completionNodes(program: Command, path = ""): readonly Node[] {
  const commands = program.commands.filter((c) => c.name() !== "help");
  const words = [
    ...commands.map((c) => ({ word: c.name(), help: oneLine(c.description()) })),
    ...program.options.flatMap((o) => (o.long === undefined ? [] : [{ word: o.long, help: oneLine(o.description) }])),
    ...(ARGUMENTS[path] ?? []).map((word) => ({ word, help: "" })),
  ];
  const nested = commands.flatMap((c) => completionNodes(c, path === "" ? c.name() : `${path} ${c.name()}`));
  return [{ path, words }, ...nested];
}

/** Words of the line so far that are commands: options and their values are left out. */
const BASH_PATH = `  local path="" word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) ;; *) path="\${path:+$path }$word" ;; esac
  done`;

function bash(nodes: readonly Node[]): string {
  const cases = nodes.map((n) => `    "${n.path}") words="${n.words.map((w) => w.word).join(" ")}" ;;`);
  return `# bash completion of twill; source it, or put it into /etc/bash_completion.d/
_twill() {
${BASH_PATH}
  local words=""
  case "$path" in
${cases.join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
  [ \${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _twill twill
`;
}

/** No variable is called `path` here: in zsh that is PATH itself. */
function zsh(nodes: readonly Node[]): string {
  const cases = nodes.map((n) => {
    const words = n.words.map((w) => `'${w.word}${w.help === "" ? "" : `:${w.help}`}'`);
    return `    "${n.path}") candidates=(${words.join(" ")}) ;;`;
  });
  return `#compdef twill
# zsh completion of twill; put it as _twill into a directory of $fpath
_twill() {
  local -a candidates
  local at="" word
  for word in "\${words[@]:1:$((CURRENT-2))}"; do
    case "$word" in -*) ;; *) at="\${at:+$at }$word" ;; esac
  done
  case "$at" in
${cases.join("\n")}
  esac
  _describe 'twill' candidates || _files
}
compdef _twill twill
`;
}

function fish(nodes: readonly Node[]): string {
  const lines = nodes.flatMap((n) =>
    n.words.map(({ word, help }) => {
      const what = word.startsWith("--") ? `-l ${word.slice(2)}` : `-a ${word}`;
      return `complete -c twill -f -n '__twill_at "${n.path}"' ${what}${help === "" ? "" : ` -d '${help}'`}`;
    }),
  );
  return `# fish completion of twill; put it into ~/.config/fish/completions/twill.fish
function __twill_at
  set -l path
  for word in (commandline -opc)[2..-1]
    string match -q -- '-*' $word; or set -a path $word
  end
  test "$path" = "$argv[1]"
end
${lines.join("\n")}
`;
}

/** The script of a shell. @param elsewhere commands whose own commands the program loads only when they run */
export function completionScript(shell: Shell, program: Command, elsewhere: readonly Command[] = []): string {
  const apart = new Set(elsewhere.map((c) => c.name()));
  const nodes = [
    ...completionNodes(program).filter((n) => !apart.has(n.path)),
    ...elsewhere.flatMap((c) => completionNodes(c, c.name())),
  ];
  return { bash, zsh, fish }[shell](nodes);
}
