// Owns the questions that the Cell answers at once, for what cannot wait a turn. They never reach the host; texts go in and out.

/** Numbers of the questions; the Cell's isolate.ts has the same list. */
export const ASK = { parseUrl: 1, setUrl: 2, random: 3, encodings: 4 } as const;

export type AskCell = (question: number, a: string, b?: string, c?: string) => string | undefined;

export let askCell: AskCell;
export function useAskCell(ask: AskCell): void {
  askCell = ask;
}
