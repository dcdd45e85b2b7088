// Owns the YAML side: text -> plain values, and where in the text each of them stands.
// Must not know what a Spacefile means.
import { isAlias, isMap, isNode, isPair, isScalar, isSeq, LineCounter, parseDocument, visit } from 'yaml';
import type { Document, Node, Pair } from 'yaml';
import { ISSUES_LIMIT } from './issue.ts';
import type { SpacefileIssue } from './types.ts';

/** Far more than any real Spacefile, and little enough that the worst one is parsed within a second. */
export const SPACEFILE_MAX_CHARS = 64 * 1024;
const MAX_DEPTH = 100;
const MAX_ALIASED_NODES = 100;

/** Steps from the root: keys and indexes. */
export type Steps = readonly (string | number)[];

export interface SpacefileDocument {
  value: unknown;
  issues: SpacefileIssue[];
  /** Where the value stands; with `key`, where that key of it stands. The nearest ancestor when it is not there. */
  locate: (steps: Steps, key?: string) => { line: number; column: number };
}

/** Never throws; `value` is undefined when the text is not YAML that can be used. */
export function parseYaml(text: string): SpacefileDocument {
  if (text.length > SPACEFILE_MAX_CHARS) return unusable('TOO_LARGE', `The Spacefile has ${text.length} characters; the limit is ${SPACEFILE_MAX_CHARS}.`);
  if (nestingOf(text) > MAX_DEPTH) return unusable('YAML_TOO_DEEP', `The Spacefile is nested more than ${MAX_DEPTH} levels deep.`);
  const lines = new LineCounter();
  try {
    // Keys are compared here: the library's own check takes quadratic time.
    return read(parseDocument(text, { lineCounter: lines, uniqueKeys: false, merge: true, prettyErrors: false, logLevel: 'error' }), lines);
  } catch (error) {
    if (error instanceof RangeError) return unusable('YAML_TOO_DEEP', 'The Spacefile is nested too deeply.');
    return unusable('YAML_SYNTAX', `The Spacefile is not valid YAML: ${messageOf(error)}`);
  }
}

function unusable(code: SpacefileIssue['code'], message: string): SpacefileDocument {
  return { value: undefined, issues: [{ code, message, path: '', line: 1, column: 1 }], locate: () => ({ line: 1, column: 1 }) };
}

function read(document: Document.Parsed, lines: LineCounter): SpacefileDocument {
  const locate = (steps: Steps, key?: string) => positionAt(lines, offsetOf(document, steps, key));
  if (document.errors.length > 0) {
    const issues = document.errors.slice(0, ISSUES_LIMIT).map((error): SpacefileIssue => ({
      code: 'YAML_SYNTAX', message: `This is not valid YAML: ${error.message}`, path: '', ...positionAt(lines, error.pos[0]),
    }));
    return { value: undefined, issues, locate };
  }
  const issues = duplicateKeys(document, lines);
  try {
    return { value: document.toJS({ maxAliasCount: MAX_ALIASED_NODES }) as unknown, issues, locate };
  } catch (error) {
    const alias = firstAlias(document);
    const message = `The aliases (\`*name\`) cannot be resolved: ${messageOf(error)}`;
    return { value: undefined, issues: [{ code: 'YAML_ALIASES', message, path: '', ...positionAt(lines, alias?.range?.[0] ?? 0) }], locate };
  }
}

/** An upper bound of the depth, so that the parser, which recurses, is never given an abyss. */
function nestingOf(text: string): number {
  let flow = 0;
  let deepest = 0;
  for (const line of text.split('\n')) {
    // In block style a level starts with an indent, or compactly with `- - -` or `? ? ?`.
    const start = /^[\s?:-]*/.exec(line)?.[0] ?? '';
    const markers = start.match(/[?:-](?=\s|$)/g)?.length ?? 0;
    for (const character of line) {
      if (character === '[' || character === '{') flow++;
      else if ((character === ']' || character === '}') && flow > 0) flow--;
      deepest = Math.max(deepest, flow + markers);
    }
    deepest = Math.max(deepest, flow + markers);
  }
  return deepest;
}

function duplicateKeys(document: Document, lines: LineCounter): SpacefileIssue[] {
  const issues: SpacefileIssue[] = [];
  visit(document, {
    Map(_key, map) {
      const seen = new Set<string>();
      for (const pair of map.items) {
        const name = nameOf(pair);
        if (!seen.has(name)) seen.add(name);
        else if (name !== '<<') issues.push(duplicateKey(name, positionAt(lines, startOf(pair.key) ?? 0)));
        if (issues.length >= ISSUES_LIMIT) return visit.BREAK;
      }
      return undefined;
    },
  });
  return issues;
}

function duplicateKey(name: string, position: { line: number; column: number }): SpacefileIssue {
  return { code: 'DUPLICATE_KEY', message: `The field \`${name}\` is there twice.`, path: name, ...position, expected: 'each field once' };
}

function offsetOf(document: Document, steps: Steps, key: string | undefined): number {
  let node: unknown = document.contents;
  let offset = startOf(node) ?? 0;
  for (const step of steps) {
    node = childOf(resolve(node, document), step);
    offset = startOf(node) ?? offset;
  }
  if (key === undefined) return offset;
  const map = resolve(node, document);
  return (isMap(map) ? startOf(map.items.find((pair) => nameOf(pair) === key)?.key) : undefined) ?? offset;
}

function childOf(node: unknown, step: string | number): unknown {
  if (isSeq(node) && typeof step === 'number') return node.items[step];
  return isMap(node) ? node.items.find((pair) => nameOf(pair) === step)?.value : undefined;
}

function resolve(node: unknown, document: Document): unknown {
  return isAlias(node) ? node.resolve(document) : node;
}

function startOf(node: unknown): number | undefined {
  if (isPair(node)) return startOf(node.key);
  return isNode(node) ? node.range?.[0] : undefined;
}

function nameOf(pair: Pair): string {
  return isScalar(pair.key) ? String(pair.key.value) : String(pair.key);
}

function firstAlias(document: Document): Node | undefined {
  let found: Node | undefined;
  visit(document, { Alias: (_key, alias) => ((found = alias), visit.BREAK) });
  return found;
}

function positionAt(lines: LineCounter, offset: number): { line: number; column: number } {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
