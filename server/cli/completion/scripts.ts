/**
 * Owns the completion scripts of bash, zsh and fish: plain text made from words.ts, which calls nothing of Inward when it runs.
 * Refuses to put help texts anywhere but between single quotes.
 */
import type { CommandWords, OptionWords, Values } from './words.ts';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

export function createScript(shell: Shell, commands: readonly CommandWords[]): string {
  return { bash: createBash, zsh: createZsh, fish: createFish }[shell](commands);
}

const names = (commands: readonly CommandWords[]): string => commands.map(({ name }) => name).join(' ');
const flagsOf = ({ options }: CommandWords): string[] => options.flatMap(({ flags }) => flags);
const withValue = ({ options }: CommandWords): (OptionWords & { readonly values: Values })[] =>
  options.flatMap((option) => (option.values === undefined ? [] : [{ ...option, values: option.values }]));

function createBash(commands: readonly CommandWords[]): string {
  const words = (values: Values): string => (values.kind === 'choices' ? `words='${values.choices.join(' ')}'` : values.kind === 'file' ? 'files=yes' : ':');
  const valueCases = commands.flatMap((command) =>
    withValue(command).map(({ flags, values }) => `    ${flags.map((flag) => `${command.name}:${flag}`).join('|')}) ${words(values)} ;;`),
  );
  const commandCases = commands.map((command) => `      ${command.name}) ${words(command.values)}; flags='${flagsOf(command).join(' ')}' ;;`);
  return `# bash completion of inward. To use it now: source <(inward completion bash)
_inward() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]} words='' flags='' files=''
  local command=\${COMP_WORDS[1]}
  # --device=lava comes as three words
  if [[ $current == '=' ]]; then current=''
  elif [[ $previous == '=' ]]; then previous=\${COMP_WORDS[COMP_CWORD - 2]}
  fi
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    mapfile -t COMPREPLY < <(compgen -W '${names(commands)} help --help' -- "$current")
    return
  fi
  case "$command:$previous" in
    help:*) ((COMP_CWORD == 2)) && words='${names(commands)}' ;;
${valueCases.join('\n')}
    *) case "$command" in
${commandCases.join('\n')}
      esac ;;
  esac
  [[ $current == -* ]] && words="$flags" files=''
  if [[ -n $files ]]; then
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
  else
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
  fi
}
complete -F _inward inward
`;
}

/** Single quotes end, one comes escaped, they begin again. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
/** In a specification of _arguments, colons and brackets have a meaning. */
const escaped = (text: string): string => text.replace(/[:[\]\\]/g, '\\$&');

function createZsh(commands: readonly CommandWords[]): string {
  const action = (values: Values): string => (values.kind === 'choices' ? `(${values.choices.join(' ')})` : values.kind === 'file' ? '_files' : ' ');
  const option = ({ flags, help, values }: OptionWords): string[] =>
    flags.map((flag) => quoted(values === undefined ? `${flag}[${escaped(help)}]` : `${flag}=[${escaped(help)}]:value:${action(values)}`));
  const cases = commands.map((command) => {
    const specifications = [...command.options.flatMap(option), ...(command.values.kind === 'none' ? [] : [quoted(`1:argument:${action(command.values)}`)])];
    return `    ${command.name}) _arguments ${specifications.join(' ')} ;;`;
  });
  return `#compdef inward
# zsh completion of inward. To use it now: source <(inward completion zsh); or name it _inward in a folder of $fpath.
_inward() {
  local -a commands=('help:help of a command' ${commands.map(({ name, help }) => quoted(`${name}:${escaped(help)}`)).join(' ')})
  if ((CURRENT == 2)); then
    _describe 'command' commands
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
    help) _describe 'command' commands ;;
${cases.join('\n')}
  esac
}
if [[ $funcstack[1] == _inward ]]; then
  _inward "$@"
else
  compdef _inward inward
fi
`;
}

function createFish(commands: readonly CommandWords[]): string {
  const quote = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  const value = (values: Values): string => (values.kind === 'choices' ? `-x -a ${quote(values.choices.join(' '))}` : values.kind === 'file' ? '-r -F' : '-x');
  const lines = commands.flatMap((command) => {
    const when = `complete -c inward -n '__fish_seen_subcommand_from ${command.name}'`;
    const options = command.options.map(({ flags, help, values }) => {
      const shapes = flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`));
      return [when, ...shapes, ...(values === undefined ? [] : [value(values)]), `-d ${quote(help)}`].join(' ');
    });
    const { values } = command;
    const argument = values.kind === 'choices' ? [`${when} -f -a ${quote(values.choices.join(' '))}`] : values.kind === 'file' ? [`${when} -F`] : [];
    return [`complete -c inward -n __fish_use_subcommand -f -a ${command.name} -d ${quote(command.help)}`, ...options, ...argument];
  });
  return `# fish completion of inward. To use it now: inward completion fish | source
complete -c inward -f
complete -c inward -n __fish_use_subcommand -f -a help -d 'help of a command'
complete -c inward -n '__fish_seen_subcommand_from help' -f -a ${quote(names(commands))}
${lines.join('\n')}
`;
}
