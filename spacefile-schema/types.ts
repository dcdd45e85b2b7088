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
  /** Folder relative to the Spacefile, normalised, never outside it; `.` is the root. Whether it exists on disk is for
   *  whoever has the disk to check. */
  src: string;
  engine: EngineName;
  primary: boolean;
  /** Normalised prefix: `/` for the primary, otherwise `/x` or `/x/y` without a trailing slash. */
  path: string;
  /** Folder relative to `src`, normalised, never outside it. Present exactly when the Engine is static. */
  serve?: string;
  commands: string[];
  /** Files and folders relative to `src`, normalised, never outside it. Empty means everything. */
  include: string[];
  /** Shell line; for an isolate the entry module relative to `src`, always present. */
  run?: string;
  dev?: string;
  presets: { env: { name: string; description: string; default?: string }[]; apiKeys: boolean };
  /** `public: true` is `['/*']`. */
  publicRoutes: string[];
  provideActions: boolean;
  actions: { id: string; name: string; description: string; trigger: 'schedule'; defaultInterval: string; path?: string }[];
}

/** Codes are for ever, messages may change. */
export type SpacefileIssueCode =
  | 'TOO_LARGE' | 'YAML_SYNTAX' | 'YAML_TOO_DEEP' | 'YAML_ALIASES' | 'DUPLICATE_KEY' | 'UNKNOWN_FIELD' | 'MISSING_FIELD'
  | 'WRONG_TYPE' | 'INVALID_VALUE' | 'TOO_FEW' | 'TOO_MANY' | 'TOO_SHORT' | 'TOO_LONG' | 'INVALID_FORMAT' | 'DUPLICATE_VALUE'
  | 'FIELD_NOT_ALLOWED' | 'FIELDS_CONFLICT' | 'DUPLICATE_NAME' | 'PRIMARY_MISSING' | 'PRIMARY_MULTIPLE' | 'DUPLICATE_PATH'
  | 'INVALID_PATH' | 'RESERVED_PATH' | 'OUTSIDE_PROJECT' | 'RESERVED_NAME' | 'INVALID_INTERVAL' | 'MORE_ISSUES';

/** One thing that is wrong. Lines and columns count from 1. */
export interface SpacefileIssue {
  code: SpacefileIssueCode;
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
