/** This file owns shell completion: scripts for bash, zsh and fish, made from the commands themselves. */
import type { Command, Option } from 'commander';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** A word that may follow, and what it means. */
interface Word {
  name: string;
  description: string;
}

interface Flag extends Word {
  takesValue: boolean;
  choices: readonly string[];
}

/** A command by the words that lead to it: `jobs list`; the program itself by none. */
interface Place {
  path: string;
  commands: readonly Word[];
  flags: readonly Flag[];
  /** Of its first argument, where only some words will do. */
  choices: readonly string[];
}

export function completionScript(shell: Shell, program: Command): string {
  const places = placesOf(program, []);
  const name = program.name();
  switch (shell) {
    case 'bash':
      return bash(name, places);
    case 'zsh':
      return zsh(name, places);
    case 'fish':
      return fish(name, places);
    default:
      return shell satisfies never;
  }
}

function placesOf(command: Command, path: readonly string[]): Place[] {
  const help = command.createHelp();
  const commands = help.visibleCommands(command);
  const place = {
    path: path.join(' '),
    commands: commands.map((each) => ({ name: each.name(), description: each.description() })),
    flags: help.visibleOptions(command).flatMap(flagsOf),
    choices: command.registeredArguments[0]?.argChoices ?? [],
  };
  // `help` stands for no command of its own.
  const own = commands.filter((each) => command.commands.includes(each));
  return [place, ...own.flatMap((each) => placesOf(each, [...path, each.name()]))];
}

function flagsOf({ long, description, required, optional, argChoices = [] }: Option): Flag[] {
  return long ? [{ name: long, description, takesValue: required || optional, choices: argChoices }] : [];
}

/** `$place $word` for every word that leads on. */
function steps(places: readonly Place[]): string[] {
  return places.flatMap(({ path }) => {
    if (path === '') return [];
    const words = path.split(' ');
    return [`${words.slice(0, -1).join(' ')} ${words.at(-1)}`];
  });
}

/** `$place $option` for every option of which only some values will do. */
function choices(places: readonly Place[]): { at: string; words: readonly string[] }[] {
  return places.flatMap(({ path, flags }) =>
    flags.flatMap((flag) =>
      flag.choices.length > 0 ? [{ at: `${path} ${flag.name}`, words: flag.choices }] : [],
    ),
  );
}

function bash(name: string, places: readonly Place[]): string {
  return `# Completion of ${name} for bash. In ~/.bashrc: eval "$(${name} completion bash)"
_${name}() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" place="" word at words=""
  for ((at = 1; at < COMP_CWORD; at++)); do
    word="\${COMP_WORDS[at]}"
    case "$place $word" in
      ${steps(places).map(quoted).join(' | ')}) place="\${place:+$place }$word" ;;
    esac
  done
  case "$place $previous" in
${choices(places)
  .map(({ at, words }) => `    ${quoted(at)}) words=${quoted(words.join(' '))} ;;`)
  .join('\n')}
    *) case "$place" in
${places
  .map(({ path, ...place }) => `      ${quoted(path)}) words=${quoted(namesOf(place).join(' '))} ;;`)
  .join('\n')}
    esac ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _${name} ${name}
`;
}

function zsh(name: string, places: readonly Place[]): string {
  const described = ({ commands, flags, choices: values }: Omit<Place, 'path'>): string =>
    [...commands, ...values.map((value) => ({ name: value, description: '' })), ...flags]
      .map((word) => quoted(word.description === '' ? word.name : `${word.name}:${word.description}`))
      .join(' ');
  return `#compdef ${name}
# Completion of ${name} for zsh. In ~/.zshrc, after compinit: eval "$(${name} completion zsh)"
_${name}() {
  local place="" word at
  local -a list
  for ((at = 2; at < CURRENT; at++)); do
    word="\${words[at]}"
    case "$place $word" in
      (${steps(places).map(quoted).join(' | ')}) place="\${place:+$place }$word" ;;
    esac
  done
  case "$place \${words[CURRENT-1]}" in
${choices(places)
  .map(({ at, words }) => `    (${quoted(at)}) list=(${words.map(quoted).join(' ')}) ;;`)
  .join('\n')}
    (*) case "$place" in
${places.map(({ path, ...place }) => `      (${quoted(path)}) list=(${described(place)}) ;;`).join('\n')}
    esac ;;
  esac
  _describe '${name}' list || _files
}
if [[ "\${funcstack[1]}" == _${name} ]]; then _${name} "$@"; else compdef _${name} ${name}; fi
`;
}

function fish(name: string, places: readonly Place[]): string {
  const at = (path: string) =>
    `complete -c ${name} -n ${quotedForFish(`__${name}_at ${quotedForFish(path)}`)}`;
  const lines = places.flatMap(({ path, commands, flags, choices: values }) => [
    ...commands.map((word) => `${at(path)} -f -a ${word.name} -d ${quotedForFish(word.description)}`),
    ...(values.length > 0 ? [`${at(path)} -f -a ${quotedForFish(values.join(' '))}`] : []),
    ...flags.map((flag) => {
      const long = `-l ${flag.name.replace(/^--/, '')} -d ${quotedForFish(flag.description)}`;
      if (flag.choices.length > 0)
        return `${at(path)} ${long} -x -a ${quotedForFish(flag.choices.join(' '))}`;
      return `${at(path)} ${long}${flag.takesValue ? ' -r' : ''}`;
    }),
  ]);
  return `# Completion of ${name} for fish: ${name} completion fish > ~/.config/fish/completions/${name}.fish
function __${name}_at
  set -l place ''
  for word in (commandline -opc)[2..-1]
    switch "$place $word"
      case ${steps(places).map(quotedForFish).join(' ')}
        set place (string trim -- "$place $word")
    end
  end
  test "$place" = "$argv[1]"
end
${lines.join('\n')}
`;
}

function namesOf({ commands, flags, choices: values }: Omit<Place, 'path'>): string[] {
  return [...commands.map((word) => word.name), ...values, ...flags.map((flag) => flag.name)];
}

/** For bash and zsh: nothing in it is read. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function quotedForFish(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
