// Owns what is told about the commands outside of the program: to shells that complete them, and to their reference. Pure.
import type { Argument, Command, Option } from 'commander';

export interface CommandFacts {
  /** Such as `builder env`; '' is `space` itself. */
  name: string;
  summary: string;
  /** As `--help` shows it, without the program's name. */
  usage: string;
  options: OptionFacts[];
  args: ArgumentFacts[];
  /** First words of the commands below it. */
  children: string[];
}

export interface OptionFacts { flags: string; long: string; short: string | undefined; description: string; takesValue: boolean; choices: readonly string[] }
export interface ArgumentFacts { name: string; description: string; isRequired: boolean; isVariadic: boolean }

/** The program and every command, in the order of the table. */
export function factsOf(program: Command): CommandFacts[] {
  const visit = (command: Command, words: readonly string[]): CommandFacts[] => [describe(command, words), ...command.commands.flatMap((sub) => visit(sub, [...words, sub.name()]))];
  return visit(program, []);
}

function describe(command: Command, words: readonly string[]): CommandFacts {
  return {
    name: words.join(' '), summary: command.description(), usage: command.usage(),
    options: command.options.filter(({ hidden }) => !hidden).map(describeOption),
    args: command.registeredArguments.map(describeArgument),
    children: command.commands.map((sub) => sub.name()),
  };
}

function describeOption({ flags, long, short, description, required, optional, argChoices }: Option): OptionFacts {
  return { flags, long: long ?? '', short, description, takesValue: required || optional, choices: argChoices ?? [] };
}

function describeArgument(argument: Argument): ArgumentFacts {
  return { name: argument.name(), description: argument.description, isRequired: argument.required, isVariadic: argument.variadic };
}
