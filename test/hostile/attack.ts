// Owns what an attack is: code that runs as the body of a handler, what its caller may hear, and which guard stops it.

/** What keeps the attack from doing harm; with it switched off the same code must be seen to do harm.
 *  - cpu, memory: the limits and the watch over the Cell
 *  - silence: the watch over a Cell that no longer answers
 *  - inert: the code finds nothing to do harm with, or the language itself refuses */
export type Guard = 'cpu' | 'memory' | 'silence' | 'inert';

export interface Attack {
  /** Ids of docs/security.md. */
  ids: readonly string[];
  name: string;
  code: string;
  /** Top-level code of the module. */
  before?: string;
  guard: Guard;
  /** It breaks its own Micro until that is started again. */
  isLasting?: boolean;
  /** How its caller is answered: by one of these codes, or by `ok`. */
  answers: readonly string[];
}

/** The Micro's isolate was stopped at the limit. */
export const CPU = ['MICRO_CPU_EXCEEDED'] as const;
/** A limit, or the whole process: which is met first depends on the machine. */
export const STOPPED = ['MICRO_CPU_EXCEEDED', 'MICRO_OUT_OF_MEMORY', 'MICRO_CRASHED'] as const;
/** Refused by V8 or by the web API. */
export const REFUSED = ['MICRO_THREW', 'ok'] as const;

/** Codes -> what the Instance's log has to say about it. */
export const REASONS: Record<string, RegExp> = {
  MICRO_CPU_EXCEEDED: /CPU/,
  MICRO_OUT_OF_MEMORY: /memory|heap/,
  MICRO_CRASHED: /stopped|ended|gone/i,
  MICRO_TIMEOUT: /longer than|no answer after/,
  MICRO_THREW: /\S/,
  MICRO_BAD_RESPONSE: /\S/,
};
