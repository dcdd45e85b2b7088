// Owns the scripts by which shells complete `space`: made from the table of commands, so that they ask nobody and are quick. Pure.
import type { CommandFacts, OptionFacts } from './command-facts.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

export function completionScript(shell: Shell, commands: readonly CommandFacts[]): string {
  return { bash: bashScript, zsh: zshScript, fish: fishScript }[shell](commands);
}

/** Values of these are names of files; of other options the shell knows nothing. */
const takesFile = ({ flags }: OptionFacts): boolean => /<(file|dir)>/.test(flags);

/** The words so far that are commands -> what may follow, as two lists of words. */
function bashScript(commands: readonly CommandFacts[]): string {
  const rows = commands.map(({ name, children, options }) => {
    const flags = ['--help', ...options.flatMap(({ long, short }) => (short === undefined ? [long] : [long, short]))];
    return `    '${name}') words='${children.join(' ')}' flags='${flags.join(' ')}' ;;`;
  });
  const values = uniqueOptions(commands).filter(({ takesValue }) => takesValue);
  const names = (options: readonly OptionFacts[]): string => options.flatMap(({ long, short }) => (short === undefined ? [long] : [long, short])).join('|') || '--';
  return `# Completion of \`space\` for bash: source <(space completion bash)
_space() {
  local current=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} name='' words flags word at
  COMPREPLY=()
  case $before in
    ${names(values.filter(takesFile))}) COMPREPLY=($(compgen -f -- "$current")); return ;;
${values.filter(({ choices }) => choices.length > 0).map((option) => `    ${names([option])}) COMPREPLY=($(compgen -W '${option.choices.join(' ')}' -- "$current")); return ;;\n`).join('')}    ${names(values.filter((option) => !takesFile(option) && option.choices.length === 0))}) return ;;
  esac
  for ((at = 1; at < COMP_CWORD; at++)); do
    word=\${COMP_WORDS[at]}
    case "$name $word" in
${commands.filter(({ name }) => name !== '').map(({ name }) => `      ' ${name}'|'${name.split(' ').slice(0, -1).join(' ')} ${name.split(' ').at(-1)}') name='${name}' ;;`).join('\n')}
    esac
  done
  case $name in
${rows.join('\n')}
  esac
  if [[ $current == -* ]]; then COMPREPLY=($(compgen -W "$flags" -- "$current"))
  elif [[ -n $words ]]; then COMPREPLY=($(compgen -W "$words" -- "$current"))
  else COMPREPLY=($(compgen -f -- "$current")); fi
}
complete -o filenames -o bashdefault -F _space space
`;
}

function uniqueOptions(commands: readonly CommandFacts[]): OptionFacts[] {
  return [...new Map(commands.flatMap(({ options }) => options).map((option) => [`${option.long} ${option.short}`, option])).values()];
}

function zshScript(commands: readonly CommandFacts[]): string {
  const functions = commands.map((command) => {
    const options = command.options.map(zshOption);
    const body = command.children.length === 0
      ? `  _arguments -s ${[...options, "'(-h --help)'{-h,--help}'[print help]'", "'*:file:_files'"].join(' ')}`
      : `  local state line
  _arguments -s -C ${[...options, "'(-h --help)'{-h,--help}'[print help]'", "'1: :->command'", "'*:: :->rest'"].join(' ')}
  case $state in
    command) local -a words=(${childrenOf(command, commands).map(({ name, summary }) => `'${last(name)}:${quoted(summary)}'`).join(' ')}); _describe command words ;;
    rest) case $line[1] in
${childrenOf(command, commands).map(({ name }) => `      ${last(name)}) ${functionName(name)} ;;`).join('\n')}
    esac ;;
  esac`;
    return `${functionName(command.name)}() {\n${body}\n}`;
  });
  return `#compdef space
# Completion of \`space\` for zsh: source <(space completion zsh), or a file _space in a folder of $fpath.
${functions.join('\n')}
if [ "$funcstack[1]" = _space ]; then _space "$@"; else compdef _space space; fi
`;
}

function zshOption(option: OptionFacts): string {
  const { long, short, description, takesValue, choices } = option;
  const value = !takesValue ? '' : choices.length > 0 ? `:value:(${choices.join(' ')})` : takesFile(option) ? ':file:_files' : ':value: ';
  const help = `[${quoted(description).replaceAll('[', '\\[').replaceAll(']', '\\]')}]`;
  return short === undefined ? `'${long}${help}${value}'` : `'(${short} ${long})'{${short},${long}}'${help}${value}'`;
}

function childrenOf({ name, children }: CommandFacts, commands: readonly CommandFacts[]): CommandFacts[] {
  return children.flatMap((child) => commands.filter((one) => one.name === (name === '' ? child : `${name} ${child}`)));
}

const last = (name: string): string => name.split(' ').at(-1) ?? name;
const functionName = (name: string): string => (name === '' ? '_space' : `_space_${name.replaceAll(/[^a-z]/g, '_')}`);
/** Between single quotes, where a colon would separate. */
const quoted = (text: string): string => text.replaceAll("'", "'\\''").replaceAll(':', '\\:');

function fishScript(commands: readonly CommandFacts[]): string {
  const rows = commands.flatMap((command) => {
    const condition = `-n '__space_is "${command.name}"'`;
    const words = childrenOf(command, commands).map(({ name, summary }) => `complete -c space ${condition} -f -a '${last(name)}' -d '${fishQuoted(summary)}'`);
    return [...words, ...command.options.map((option) => `complete -c space ${condition} ${fishOption(option)}`)];
  });
  return `# Completion of \`space\` for fish: space completion fish | source
function __space_is
  set -l name
  for word in (commandline -opc)[2..-1]
    if contains -- (string trim "$name $word") ${commands.filter(({ name }) => name !== '').map(({ name }) => `'${name}'`).join(' ')}
      set name (string trim "$name $word")
    end
  end
  test "$name" = $argv[1]
end
complete -c space -s h -l help -d 'print help'
${rows.join('\n')}
`;
}

function fishOption(option: OptionFacts): string {
  const { long, short, description, takesValue, choices } = option;
  const value = !takesValue ? '' : choices.length > 0 ? ` -x -a '${choices.join(' ')}'` : takesFile(option) ? ' -r -F' : ' -x';
  return `${short === undefined ? '' : `-s ${short.slice(1)} `}-l ${long.slice(2)}${value} -d '${fishQuoted(description)}'`;
}

const fishQuoted = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll("'", "\\'");
