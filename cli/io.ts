// Owns what a command may touch of the world around it, as one interface, so that a test can stand in for a terminal.
import type picocolors from 'picocolors';

export type Colors = ReturnType<typeof picocolors.createColors>;

export interface Io {
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
  homeDir: string;
  /** Whether somebody sits there to answer a prompt. */
  isInteractive: boolean;
  colors: Colors;
  /** Results, which a script may read. One call, one line. */
  out(line: string): void;
  /** Progress, logs and errors. One call, one line. */
  err(line: string): void;
  /** All of stdin. */
  readStdin(): Promise<string>;
  /** Only where `isInteractive`. */
  prompts: Prompts;
  openUrl(url: string): Promise<void>;
  /** Shows that `text` is under way, until stopped. */
  spin(text: string): Spinner;
  /** Aborted by Ctrl-C. */
  signal: AbortSignal;
}

/** @throws Interrupted when the person leaves a prompt with Ctrl-C */
export interface Prompts {
  text(message: string, options?: { initial?: string; check?: (value: string) => true | string }): Promise<string>;
  secret(message: string): Promise<string>;
  confirm(message: string, initial?: boolean): Promise<boolean>;
  choose<Value>(message: string, choices: readonly { name: string; value: Value }[]): Promise<Value>;
}

export interface Spinner {
  update(text: string): void;
  /** Clears the line; prints nothing. */
  stop(): void;
}
