// Owns `space completion`: the script by which a shell completes the other commands.
import { SHELLS, completionScript } from '../completion.ts';
import type { Shell } from '../completion.ts';
import { defineCommand } from '../command.ts';
import { usageFailure } from '../failure.ts';

export const completionCommand = defineCommand<object>({
  summary: 'print a script by which your shell completes `space`',
  configure: (command) => command.argument('<shell>', SHELLS.join(', ')),
  async run(context, _, [given = '']) {
    const shell = SHELLS.find((one) => one === given);
    if (shell === undefined) throw usageFailure(`There is no completion for \`${given}\`.`, `There is one for ${SHELLS.join(', ')}.`);
    const script = completionScript(shell, context.commands());
    context.result({ shell, script, how: HOW[shell] }, script.trimEnd());
    if (context.io.isInteractive) context.note(`\n${HOW[shell]}`);
  },
});

const HOW: Record<Shell, string> = {
  bash: 'For every new shell, in ~/.bashrc: source <(space completion bash)',
  zsh: 'For every new shell, in ~/.zshrc, below compinit: source <(space completion zsh)',
  fish: 'For every new shell: space completion fish > ~/.config/fish/completions/space.fish',
};
