// Owns the shape of a parsed Spacefile (v0). Pure.
import type { EngineName } from './engines.ts';

export interface Spacefile {
  v: 0;
  icon?: string;
  /** Deprecated in favour of Discovery.md; still the fallback. */
  appName?: string;
  autoPwa: boolean;
  /** 1 to 5, exactly one of them primary. */
  micros: SpacefileMicro[];
}

export interface SpacefileMicro {
  name: string;
  /** Folder relative to the Spacefile, normalised, never outside it; `.` is the root. */
  src: string;
  engine: EngineName;
  primary: boolean;
  /** Normalised prefix: `/` for the primary, otherwise `/x` or `/x/y` without a trailing slash. */
  path: string;
  serve?: string;
  commands: string[];
  include: string[];
  run?: string;
  dev?: string;
  presets: { env: { name: string; description: string; default?: string }[]; apiKeys: boolean };
  /** `public: true` is `['/*']`. */
  publicRoutes: string[];
  provideActions: boolean;
  actions: { id: string; name: string; description: string; trigger: 'schedule'; defaultInterval: string; path?: string }[];
}

/** One thing that is wrong. Lines and columns count from 1. */
export interface SpacefileIssue {
  code: string;
  message: string;
  /** Where in the document, such as `micros[1].engine`. */
  path: string;
  line: number;
  column: number;
  /** What would have been valid. */
  expected?: string;
  /** The nearest valid value, when one is near. */
  suggestion?: string;
}

export type SpacefileResult = { spacefile: Spacefile; issues: [] } | { spacefile: undefined; issues: SpacefileIssue[] };
