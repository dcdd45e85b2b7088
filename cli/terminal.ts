// Owns the real world around a command: streams, prompts, spinner, browser. Libraries for them load when first used.
import { text as readText } from 'node:stream/consumers';
import picocolors from 'picocolors';
import { Interrupted } from './failure.ts';
import type { Io, Prompts, Spinner } from './io.ts';

export function createTerminal(options: Pick<Io, 'env' | 'cwd' | 'homeDir' | 'signal'>): Io {
  const isInteractive = Boolean(process.stdin.isTTY && process.stdout.isTTY) && !options.env.CI;
  // The library never ends drawing on a terminal that has no width, as programs that drive others often make them.
  const hasSpinner = Boolean(process.stderr.isTTY) && process.stderr.columns > 0 && !options.env.CI;
  return {
    ...options,
    isInteractive,
    colors: picocolors.createColors(picocolors.isColorSupported && Boolean(process.stderr.isTTY && process.stdout.isTTY)),
    out: (text) => void process.stdout.write(`${text}\n`),
    err: (text) => void process.stderr.write(`${text}\n`),
    readStdin: () => readText(process.stdin),
    prompts: terminalPrompts(options.signal),
    async openUrl(url) {
      const { default: open } = await import('open');
      const child = await open(url);
      // A machine without a browser is no reason to fail: the address is on the screen.
      child.on('error', () => {});
    },
    spin: (text) => startSpinner(text, hasSpinner),
  };
}

/** A moving line below everything that is printed meanwhile: the library sees to that. Nothing where no terminal is. */
function startSpinner(text: string, isShown: boolean): Spinner {
  if (!isShown) return { update: () => {}, stop: () => {} };
  let shown = text;
  let isStopped = false;
  let line: { text: string; stop(): unknown } | undefined;
  const show = async () => {
    const { default: ora } = await import('ora');
    // What is typed meanwhile stays for the shell, and Ctrl-C for us.
    if (!isStopped) line = ora({ text: shown, stream: process.stderr, discardStdin: false }).start();
  };
  // A library that does not load takes nothing but the decoration with it.
  show().catch(() => {});
  return {
    update(next) {
      shown = next;
      if (line !== undefined) line.text = next;
    },
    stop() {
      isStopped = true;
      line?.stop();
    },
  };
}

function terminalPrompts(signal: AbortSignal): Prompts {
  const ask = async <Value>(run: (prompts: typeof import('@inquirer/prompts'), context: { signal: AbortSignal }) => Promise<Value>): Promise<Value> => {
    try {
      return await run(await import('@inquirer/prompts'), { signal });
    } catch (error) {
      if (error instanceof Error && ['ExitPromptError', 'AbortPromptError'].includes(error.name)) throw new Interrupted('prompt left');
      throw error;
    }
  };
  return {
    text: (message, { initial, check } = {}) =>
      ask(({ input }, context) => input({ message, ...(initial !== undefined && { default: initial }), ...(check && { validate: check }) }, context)),
    secret: (message) => ask(({ password }, context) => password({ message, mask: true }, context)),
    confirm: (message, initial = true) => ask(({ confirm }, context) => confirm({ message, default: initial }, context)),
    choose: (message, choices) => ask(({ select }, context) => select({ message, choices }, context)),
  };
}
