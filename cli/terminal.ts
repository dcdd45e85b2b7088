// Owns the real world around a command: streams, prompts, spinner, browser. Libraries for them load when first used.
import { text as readText } from 'node:stream/consumers';
import picocolors from 'picocolors';
import { Interrupted } from './failure.ts';
import type { Io, Prompts, Spinner } from './io.ts';

export function createTerminal(options: Pick<Io, 'env' | 'cwd' | 'homeDir' | 'signal'>): Io {
  const isInteractive = Boolean(process.stdin.isTTY && process.stdout.isTTY) && !options.env.CI;
  const line = new SpinnerLine(Boolean(process.stderr.isTTY) && !options.env.CI);
  return {
    ...options,
    isInteractive,
    colors: picocolors.createColors(picocolors.isColorSupported && Boolean(process.stderr.isTTY && process.stdout.isTTY)),
    out: (text) => line.around(() => process.stdout.write(`${text}\n`)),
    err: (text) => line.around(() => process.stderr.write(`${text}\n`)),
    readStdin: () => readText(process.stdin),
    prompts: terminalPrompts(options.signal),
    async openUrl(url) {
      const { default: open } = await import('open');
      const child = await open(url);
      // A machine without a browser is no reason to fail: the address is on the screen.
      child.on('error', () => {});
    },
    spin: (text) => line.start(text),
  };
}

/** One moving line at a time, below everything that is printed meanwhile. */
class SpinnerLine {
  readonly #isShown: boolean;
  #stop: (() => void) | undefined;
  #text = '';
  #draw: ((text: string) => void) | undefined;

  constructor(isShown: boolean) {
    this.#isShown = isShown;
  }

  start(text: string): Spinner {
    this.#text = text;
    if (this.#isShown) this.#show().catch(() => {});
    return {
      update: (next) => {
        this.#text = next;
        this.#draw?.(next);
      },
      stop: () => {
        this.#stop?.();
        this.#stop = undefined;
        this.#draw = undefined;
        this.#text = '';
      },
    };
  }

  async #show(): Promise<void> {
    const { default: ora } = await import('ora');
    // Stopped before the library was there.
    if (this.#text === '' || this.#draw !== undefined) return;
    // What is typed meanwhile stays for the shell, and Ctrl-C for us.
    const spinner = ora({ text: this.#text, stream: process.stderr, discardStdin: false, hideCursor: true }).start();
    this.#draw = (text) => { spinner.text = text; };
    this.#stop = () => spinner.stop();
    this.#pause = (run) => {
      spinner.clear();
      run();
      spinner.render();
    };
  }

  #pause: ((run: () => void) => void) | undefined;

  around(run: () => void): void {
    if (this.#draw === undefined || this.#pause === undefined) run();
    else this.#pause(run);
  }
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
