// Owns how the lines of several programs share one terminal: each behind the name of its Micro, which keeps its colour.
import type { Colors, Io } from '../io.ts';
import { plainText } from '../output.ts';

export interface DevOutput {
  /** A line of a Micro. */
  micro(name: string, text: string, level?: 'debug' | 'info' | 'warn' | 'error'): void;
  /** So that the names stand above each other. */
  align(names: readonly string[]): void;
}

const PAINTS: readonly (keyof Colors & ('cyan' | 'magenta' | 'green' | 'yellow' | 'blue'))[] = ['cyan', 'magenta', 'green', 'yellow', 'blue'];

export function createDevOutput({ colors, out }: Pick<Io, 'colors' | 'out'>): DevOutput {
  const order: string[] = [];
  let width = 0;
  return {
    micro(name, text, level = 'info') {
      if (!order.includes(name)) order.push(name);
      const paint = colors[PAINTS[order.indexOf(name) % PAINTS.length] ?? 'cyan'];
      const shade = { debug: colors.dim, info: String, warn: colors.yellow, error: colors.red }[level];
      for (const line of text.split('\n')) out(`${paint(name.padEnd(width))} ${colors.dim('|')} ${shade(plainText(line))}`);
    },
    align(names) {
      width = Math.max(...names.map((name) => name.length));
      for (const name of names) if (!order.includes(name)) order.push(name);
    },
  };
}
