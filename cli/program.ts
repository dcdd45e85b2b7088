// Owns the way from arguments to a command and on to an exit code. The table below is the list of all commands.
import { Command, CommanderError } from 'commander';
import { createContext } from './command.ts';
import type { CliCommand } from './command.ts';
import { factsOf } from './command-facts.ts';
import type { CommandFacts } from './command-facts.ts';
import { apiCommand } from './commands/api.ts';
import { builderEnvCommand } from './commands/builder-env.ts';
import { completionCommand } from './commands/completion.ts';
import { devCommand, devProxyCommand } from './commands/dev.ts';
import { devTriggerCommand } from './commands/dev-trigger.ts';
import { devUpCommand } from './commands/dev-up.ts';
import { envCommand, envSetCommand, envUnsetCommand } from './commands/env.ts';
import { execCommand } from './commands/exec.ts';
import { exportCommand } from './commands/export.ts';
import { importCommand } from './commands/import.ts';
import { installCommand } from './commands/install.ts';
import { instancesCommand } from './commands/instances.ts';
import { linkCommand } from './commands/link.ts';
import { loginCommand } from './commands/login.ts';
import { logsCommand } from './commands/logs.ts';
import { newCommand } from './commands/new.ts';
import { openCommand } from './commands/open.ts';
import { pushCommand } from './commands/push.ts';
import { printAccessTokenCommand } from './commands/print-access-token.ts';
import { releaseCommand } from './commands/release.ts';
import { rollbackCommand, versionsCommand } from './commands/rollback.ts';
import { trashEmptyCommand, trashListCommand, trashRestoreCommand, uninstallCommand } from './commands/uninstall.ts';
import { updateCommand } from './commands/update.ts';
import { triggerCommand } from './commands/trigger.ts';
import { validateCommand } from './commands/validate.ts';
import { snapshotCreateCommand, snapshotDropCommand, snapshotListCommand, snapshotRestoreCommand } from './commands/snapshot.ts';
import { verifyCommand } from './commands/verify.ts';
import { versionCommand } from './commands/version.ts';
import { EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE, Failure, Interrupted, describeFailure, usageFailure } from './failure.ts';
import type { Io } from './io.ts';
import { formatFailure } from './output.ts';
import { VERSION } from './version.ts';

/** Name -> command; a name of two words is a command of a group. */
const COMMANDS: Record<string, CliCommand> = {
  login: loginCommand,
  new: newCommand,
  link: linkCommand,
  validate: validateCommand,
  dev: devCommand,
  'dev up': devUpCommand,
  'dev proxy': devProxyCommand,
  'dev trigger': devTriggerCommand,
  exec: execCommand,
  push: pushCommand,
  open: openCommand,
  logs: logsCommand,
  release: releaseCommand,
  install: installCommand,
  instances: instancesCommand,
  update: updateCommand,
  versions: versionsCommand,
  rollback: rollbackCommand,
  uninstall: uninstallCommand,
  'trash list': trashListCommand,
  'trash restore': trashRestoreCommand,
  'trash empty': trashEmptyCommand,
  export: exportCommand,
  import: importCommand,
  verify: verifyCommand,
  'snapshot create': snapshotCreateCommand,
  'snapshot list': snapshotListCommand,
  'snapshot restore': snapshotRestoreCommand,
  'snapshot drop': snapshotDropCommand,
  env: envCommand,
  'env set': envSetCommand,
  'env unset': envUnsetCommand,
  trigger: triggerCommand,
  'builder env': builderEnvCommand,
  api: apiCommand,
  completion: completionCommand,
  'print-access-token': printAccessTokenCommand,
  version: versionCommand,
};

/** First word of commands of two words -> what they are for. */
const GROUPS: Record<string, string> = { builder: 'commands for the Builder Instance', snapshot: 'commands for moments of an app\'s data to go back to', trash: 'commands for what was uninstalled or deleted' };

/** Every command, for its reference. */
export function commandFacts(io: Io): CommandFacts[] {
  return factsOf(createProgram(io, () => {}));
}

/** Run one command. @param argv without the names of Node and the program  @returns the exit code; never throws */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  const isJson = argv.slice(0, argv.includes('--') ? argv.indexOf('--') : undefined).includes('--json');
  let exitCode: number = EXIT_OK;
  const program = createProgram(io, (code) => { exitCode = code; });
  try {
    await program.parseAsync(argv.length === 0 ? ['--help'] : [...argv], { from: 'user' });
    return exitCode;
  } catch (error) {
    return report(error, io, isJson);
  }
}

function createProgram(io: Io, onExit: (code: number) => void): Command {
  const program = new Command('space')
    .description('Build apps for a Space, and install them.')
    .version(VERSION, '--version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .exitOverride()
    // So that a command may have a --version of its own.
    .enablePositionalOptions()
    .configureOutput({ writeOut: (text) => io.out(text.trimEnd()), writeErr: () => {} })
    .showSuggestionAfterError();
  for (const [name, command] of Object.entries(COMMANDS)) addCommand(program, name, { command, io, onExit });
  return program;
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
