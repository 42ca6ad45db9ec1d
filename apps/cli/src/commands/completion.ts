/** This file owns `sluice completion`: what a shell reads to complete our commands. */
import { Argument, type Command } from 'commander';
import { completionScript, SHELLS, type Shell } from '../completion.ts';
import type { Terminal } from '../terminal.ts';

const HELP = `
Examples
  eval "$(sluice completion bash)"      # in ~/.bashrc
  eval "$(sluice completion zsh)"       # in ~/.zshrc, after compinit
  sluice completion fish > ~/.config/fish/completions/sluice.fish`;

export function addCompletionCommand(program: Command, terminal: Terminal): void {
  program
    .command('completion')
    .description('print what a shell reads to complete these commands')
    .addArgument(new Argument('<shell>', 'which one').choices(SHELLS))
    .addHelpText('after', HELP)
    .action((shell: Shell) => terminal.out(completionScript(shell, program)));
}
