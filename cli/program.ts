// Owns the way from arguments to a command and on to an exit code. The table below is the list of all commands.
import { Command, CommanderError } from 'commander';
import { createContext } from './command.ts';
import type { CliCommand } from './command.ts';
import { factsOf } from './command-facts.ts';
import type { CommandFacts } from './command-facts.ts';
import { EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE, Failure, Interrupted, describeFailure, usageFailure } from './failure.ts';
import type { Io } from './io.ts';
import { formatFailure } from './output.ts';
import { VERSION } from './version.ts';

/** Name -> command; a name of two words is a command of a group. Reading the code of all of them takes longer than most of them take. */
const COMMANDS: Record<string, () => Promise<CliCommand>> = {
  login: async () => (await import('./commands/login.ts')).loginCommand,
  new: async () => (await import('./commands/new.ts')).newCommand,
  link: async () => (await import('./commands/link.ts')).linkCommand,
  validate: async () => (await import('./commands/validate.ts')).validateCommand,
  dev: async () => (await import('./commands/dev.ts')).devCommand,
  'dev up': async () => (await import('./commands/dev-up.ts')).devUpCommand,
  'dev proxy': async () => (await import('./commands/dev.ts')).devProxyCommand,
  'dev trigger': async () => (await import('./commands/dev-trigger.ts')).devTriggerCommand,
  exec: async () => (await import('./commands/exec.ts')).execCommand,
  push: async () => (await import('./commands/push.ts')).pushCommand,
  open: async () => (await import('./commands/open.ts')).openCommand,
  logs: async () => (await import('./commands/logs.ts')).logsCommand,
  release: async () => (await import('./commands/release.ts')).releaseCommand,
  install: async () => (await import('./commands/install.ts')).installCommand,
  instances: async () => (await import('./commands/instances.ts')).instancesCommand,
  update: async () => (await import('./commands/update.ts')).updateCommand,
  versions: async () => (await import('./commands/rollback.ts')).versionsCommand,
  rollback: async () => (await import('./commands/rollback.ts')).rollbackCommand,
  uninstall: async () => (await import('./commands/uninstall.ts')).uninstallCommand,
  'trash list': async () => (await import('./commands/uninstall.ts')).trashListCommand,
  'trash restore': async () => (await import('./commands/uninstall.ts')).trashRestoreCommand,
  'trash empty': async () => (await import('./commands/uninstall.ts')).trashEmptyCommand,
  export: async () => (await import('./commands/export.ts')).exportCommand,
  import: async () => (await import('./commands/import.ts')).importCommand,
  verify: async () => (await import('./commands/verify.ts')).verifyCommand,
  'snapshot create': async () => (await import('./commands/snapshot.ts')).snapshotCreateCommand,
  'snapshot list': async () => (await import('./commands/snapshot.ts')).snapshotListCommand,
  'snapshot restore': async () => (await import('./commands/snapshot.ts')).snapshotRestoreCommand,
  'snapshot drop': async () => (await import('./commands/snapshot.ts')).snapshotDropCommand,
  env: async () => (await import('./commands/env.ts')).envCommand,
  'env set': async () => (await import('./commands/env.ts')).envSetCommand,
  'env unset': async () => (await import('./commands/env.ts')).envUnsetCommand,
  trigger: async () => (await import('./commands/trigger.ts')).triggerCommand,
  'builder env': async () => (await import('./commands/builder-env.ts')).builderEnvCommand,
  api: async () => (await import('./commands/api.ts')).apiCommand,
  completion: async () => (await import('./commands/completion.ts')).completionCommand,
  'print-access-token': async () => (await import('./commands/print-access-token.ts')).printAccessTokenCommand,
  version: async () => (await import('./commands/version.ts')).versionCommand,
};

/** First word of commands of two words -> what they are for. */
const GROUPS: Record<string, string> = { builder: 'commands for the Builder Instance', snapshot: 'commands for moments of an app\'s data to go back to', trash: 'commands for what was uninstalled or deleted' };

/** Every command, for its reference. */
export async function commandFacts(io: Io): Promise<CommandFacts[]> {
  return factsOf(await createProgram(io, { argv: [], onExit: () => {} }));
}

/** Run one command. @param argv without the names of Node and the program  @returns the exit code; never throws */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  const isJson = argv.slice(0, argv.includes('--') ? argv.indexOf('--') : undefined).includes('--json');
  let exitCode: number = EXIT_OK;
  try {
    const program = await createProgram(io, { argv, onExit: (code) => { exitCode = code; } });
    await program.parseAsync(argv.length === 0 ? ['--help'] : [...argv], { from: 'user' });
    return exitCode;
  } catch (error) {
    return report(error, io, isJson);
  }
}

interface Call { argv: readonly string[]; onExit(code: number): void }

async function createProgram(io: Io, { argv, onExit }: Call): Promise<Command> {
  const program = new Command('space')
    .description('Build apps for a Space, and install them.')
    .version(VERSION, '--version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .exitOverride()
    // So that a command may have a --version of its own.
    .enablePositionalOptions()
    .configureOutput({ writeOut: (text) => io.out(text.trimEnd()), writeErr: () => {} })
    .showSuggestionAfterError();
  const commands = await Promise.all(namesFor(argv).map(async (name) => [name, await COMMANDS[name]!()] as const));
  for (const [name, command] of commands) addCommand(program, name, { command, io, onExit });
  return program;
}

/** Which commands a call can be about: those of its first word, or all, where that is none or is about all. */
function namesFor([first = '']: readonly string[]): string[] {
  const names = Object.keys(COMMANDS);
  const meant = first === 'completion' ? [] : names.filter((name) => name.split(' ')[0] === first);
  return meant.length > 0 ? meant : names;
}

interface Addition { command: CliCommand; io: Io; onExit(code: number): void }

function addCommand(program: Command, name: string, { command, io, onExit }: Addition): void {
  const words = name.split(' ');
  const parent = words.length === 1 ? program : group(program, words[0] ?? '');
  const sub = parent.command(words.at(-1) ?? name).description(command.summary).option('--json', 'print the result as JSON');
  command.configure(sub).action(async (...call: unknown[]) => {
    const options = sub.opts<Record<string, unknown>>();
    const args = call.slice(0, -2).flat().filter((arg) => typeof arg === 'string');
    const code = await command.run(createContext(io, options.json === true, () => factsOf(program)), options, args);
    if (typeof code === 'number') onExit(code);
  });
}

function group(program: Command, name: string): Command {
  const known = program.commands.find((command) => command.name() === name);
  if (known !== undefined) return known;
  const added = program.command(name).description(GROUPS[name] ?? name);
  return added.allowExcessArguments().action(() => {
    if (added.args.length > 0) throw usageFailure(`Unknown command \`${name} ${added.args[0]}\`.`, `\`space ${name} --help\` lists the commands.`);
    added.outputHelp();
  });
}

function report(error: unknown, io: Io, isJson: boolean): number {
  if (error instanceof CommanderError) return reportUsage(error, io, isJson);
  if (error instanceof Interrupted || io.signal.aborted) {
    io.err(error instanceof Interrupted ? 'Stopped.' : 'Stopped. What the host has begun goes on there.');
    return EXIT_INTERRUPTED;
  }
  const text = describeFailure(error);
  if (isJson) io.out(JSON.stringify({ error: { code: text.code, message: text.what, why: text.why, remedy: text.remedy, request_id: text.requestId } }));
  io.err(formatFailure(text, io.colors));
  return error instanceof Failure ? error.exitCode : EXIT_FAILED;
}

/** Help and version come here too, with exit code 0. */
function reportUsage(error: CommanderError, io: Io, isJson: boolean): number {
  if (error.exitCode === 0) return EXIT_OK;
  const what = error.message.replace(/^error: /, '');
  const text = { code: 'USAGE', what: what.charAt(0).toUpperCase() + what.slice(1), remedy: '`space --help` lists the commands, `space COMMAND --help` their options.' };
  if (isJson) io.out(JSON.stringify({ error: { code: text.code, message: text.what, remedy: text.remedy } }));
  io.err(formatFailure(text, io.colors));
  return EXIT_USAGE;
}
