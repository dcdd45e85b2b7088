// Owns the rules between fields of a Spacefile. Must not know its shape's rules: what has the wrong shape is skipped here,
// since the schema has reported it already.
import type { SpacefileDocument, Steps } from './document.ts';
import { ENGINES, engineNamed } from './engines.ts';
import type { EngineEntry } from './engines.ts';
import { quote } from './issue.ts';
import { INTERVAL_EXPECTED, parseInterval } from './interval.ts';
import { relativePath, urlPrefix } from './location.ts';
import { reservedReason } from './name.ts';
import { isReservedPath } from './route.ts';
import { pathText } from './shape.ts';
import type { SpacefileIssue, SpacefileIssueCode } from './types.ts';

const ACTIONS_MAX_PER_MICRO = 5;

/** A broken rule; `at` leads to the value, `key` to a field of it. */
interface Breach {
  code: SpacefileIssueCode;
  message: string;
  at: Steps;
  key?: string;
  expected?: string;
  suggestion?: string;
}

type Fields = Record<string, unknown>;

/** One Micro as written, so far as it has the right shape. */
interface Draft {
  index: number;
  fields: Fields;
  name: string | undefined;
  engine: EngineEntry | undefined;
  engineText: string;
}

export function ruleIssues(document: SpacefileDocument): SpacefileIssue[] {
  const root = fieldsOf(document.value);
  const drafts = listOf(root.micros).map(draftOf);
  const breaches = [
    ...locationBreach(root, 'icon', [], 'the project'),
    ...drafts.flatMap(microBreaches),
    ...duplicates(drafts.map(({ name, index }) => ({ text: name, at: ['micros', index, 'name'] })), 'Micro', 'DUPLICATE_NAME'),
    ...primaryBreaches(drafts),
    ...pathBreaches(drafts),
    ...actionNameBreaches(drafts),
  ];
  return breaches.map(({ at, key, ...breach }) => ({
    ...breach, path: pathText(key === undefined ? at : [...at, key]), ...document.locate(at, key),
  }));
}

function draftOf(value: unknown, index: number): Draft {
  const fields = fieldsOf(value);
  const engineText = textOf(fields.engine) ?? '';
  const engine = engineNamed(engineText);
  return { index, fields, name: textOf(fields.name), engine: engine && ENGINES[engine], engineText };
}

function microBreaches(draft: Draft): Breach[] {
  const { fields, index } = draft;
  const at = ['micros', index];
  return [
    ...locationBreach(fields, 'src', at, 'the project'),
    ...locationBreach(fields, 'serve', at, 'the Micro\'s `src`'),
    ...listOf(fields.include).flatMap((_, entry) => locationBreach(listOf(fields.include), entry, [...at, 'include'], 'the Micro\'s `src`')),
    ...engineBreaches(draft, at),
    ...publicBreaches(fields, at),
    ...envBreaches(draft, at),
    ...intervalBreaches(fields, at),
  ];
}

function locationBreach(holder: object, key: string | number, at: Steps, inside: string): Breach[] {
  const text = textOf((holder as Record<string | number, unknown>)[key]);
  if (text === undefined || relativePath(text) !== undefined) return [];
  const steps = [...at, key];
  return [{ code: 'OUTSIDE_PROJECT', message: `\`${pathText(steps)}\` leads outside ${inside}: ${quote(text)}.`, at: steps, expected: `a relative path inside ${inside}` }];
}

/** @source Deta Space, Spacefile schema: which engine takes `serve` and which takes `include` */
function engineBreaches({ fields, engine, engineText, name }: Draft, at: Steps): Breach[] {
  if (engine === undefined) return [];
  const micro = microText(name, at);
  const breaches: Breach[] = [];
  const refused = engine.takes === 'serve' ? 'include' : 'serve';
  if (fields[refused] !== undefined) {
    breaches.push({ code: 'FIELD_NOT_ALLOWED', message: `${micro} cannot have \`${refused}\`: its engine is \`${engineText}\`.`, at, key: refused, expected: engine.takes === 'serve' ? '`serve`, the folder that is served' : '`include`, what goes into the package' });
  }
  if (engine.takes === 'serve' && engine.defaultServe === undefined && fields.serve === undefined) {
    breaches.push({ code: 'MISSING_FIELD', message: `${micro} has no \`serve\`, which \`${engineText}\` needs.`, at, key: 'serve', expected: 'the folder that is served, such as `./`' });
  }
  return engine.runs === 'isolate' ? [...breaches, ...moduleBreach(fields, at)] : breaches;
}

function moduleBreach(fields: Fields, at: Steps): Breach[] {
  const run = textOf(fields.run);
  if (run === undefined || (relativePath(run) !== undefined && /^[^\s]+\.(?:[mc]?[jt]s|[jt]sx)$/.test(run))) return [];
  const suggestion = /[^\s]+\.[mc]?[jt]sx?$/.exec(run)?.[0];
  const isUsable = suggestion !== undefined && relativePath(suggestion) !== undefined;
  return [{ code: 'INVALID_FORMAT', message: `\`run\` of an isolate cannot be ${quote(run)}.`, at: [...at, 'run'], expected: 'the entry module, a file inside `src` such as `index.js`', ...(isUsable && { suggestion }) }];
}

function publicBreaches(fields: Fields, at: Steps): Breach[] {
  if (fields.public === undefined || fields.public_routes === undefined) return [];
  return [{ code: 'FIELDS_CONFLICT', message: '`public` and `public_routes` exclude each other.', at, key: 'public', expected: 'one of the two' }];
}

function envBreaches({ fields, engine }: Draft, at: Steps): Breach[] {
  const entries = listOf(fieldsOf(fields.presets).env).map((entry, index) => ({ text: textOf(fieldsOf(entry).name), at: [...at, 'presets', 'env', index, 'name'] }));
  const reserved = entries.flatMap((entry): Breach[] => {
    const reason = entry.text === undefined ? undefined : reservedReason(entry.text, engine?.runs === 'isolate');
    return reason === undefined ? [] : [{ code: 'RESERVED_NAME', message: `A variable cannot be called ${quote(entry.text)}: ${reason}.`, at: entry.at, expected: 'another name, such as `APP_SETTING`' }];
  });
  return [...reserved, ...duplicates(entries, 'variable', 'DUPLICATE_NAME')];
}

function intervalBreaches(fields: Fields, at: Steps): Breach[] {
  const actions = listOf(fields.actions);
  const breaches = actions.flatMap((action, index): Breach[] => {
    const interval = textOf(fieldsOf(action).default_interval);
    const { problem } = interval === undefined ? {} : parseInterval(interval);
    if (problem === undefined) return [];
    return [{ code: 'INVALID_INTERVAL', message: `\`default_interval\` cannot be ${quote(interval)}: ${problem}.`, at: [...at, 'actions', index, 'default_interval'], expected: INTERVAL_EXPECTED }];
  });
  if (actions.length <= ACTIONS_MAX_PER_MICRO) return breaches;
  return [...breaches, { code: 'TOO_MANY', message: `A Micro cannot have ${actions.length} actions.`, at: [...at, 'actions'], expected: `${ACTIONS_MAX_PER_MICRO} at most` }];
}

/** @source Deta Space, actions: ids and names are unique across the app */
function actionNameBreaches(drafts: readonly Draft[]): Breach[] {
  const actions = drafts.flatMap(({ fields, index }) => listOf(fields.actions).map((action, number) => ({ action: fieldsOf(action), at: ['micros', index, 'actions', number] })));
  return (['id', 'name'] as const).flatMap((key) =>
    duplicates(actions.map(({ action, at }) => ({ text: textOf(action[key]), at: [...at, key] })), `action ${key}`, 'DUPLICATE_NAME'));
}

function primaryBreaches(drafts: readonly Draft[]): Breach[] {
  if (drafts.length < 2 || drafts.some(({ fields }) => !['boolean', 'undefined'].includes(typeof fields.primary))) return [];
  const primaries = drafts.filter(isMarkedPrimary);
  if (primaries.length === 0) return [{ code: 'PRIMARY_MISSING', message: 'No Micro is the primary one, which answers at `/`.', at: ['micros'], expected: '`primary: true` at exactly one Micro' }];
  return primaries.slice(1).map(({ name, index }): Breach => ({
    code: 'PRIMARY_MULTIPLE', message: `${microText(name, ['micros', index])} is primary, and so is \`${primaries[0]?.name ?? 'another'}\`.`,
    at: ['micros', index, 'primary'], expected: '`primary: true` at exactly one Micro',
  }));
}

function pathBreaches(drafts: readonly Draft[]): Breach[] {
  if (drafts.length < 2) return [];
  const secondaries = drafts.filter((draft) => !isMarkedPrimary(draft)).flatMap(({ fields, name, index }) => {
    const hasPath = fields.path !== undefined;
    const text = textOf(hasPath ? fields.path : name);
    return text === undefined ? [] : [{ text, prefix: urlPrefix(text), at: ['micros', index, hasPath ? 'path' : 'name'] }];
  });
  return [
    ...secondaries.flatMap(({ text, prefix, at }) => prefixBreach(text, prefix, at)),
    ...duplicates(secondaries.map(({ prefix, at }) => ({ text: prefix, at })), 'path', 'DUPLICATE_PATH'),
  ];
}

function prefixBreach(text: string, prefix: string | undefined, at: Steps): Breach[] {
  if (prefix === undefined) {
    const why = /^\/?$/.test(text) ? 'the root belongs to the primary Micro' : 'it is not a plain URL path';
    return [{ code: 'INVALID_PATH', message: `\`path\` cannot be ${quote(text)}: ${why}.`, at, expected: 'a URL path such as `/api`, without `..`, `//`, `%`, `?` or spaces' }];
  }
  if (!isReservedPath(prefix)) return [];
  return [{ code: 'RESERVED_PATH', message: `\`path\` cannot be ${quote(text)}: everything below \`/__space\` belongs to the platform.`, at, expected: 'another path' }];
}

function duplicates(entries: readonly { text: string | undefined; at: Steps }[], what: string, code: SpacefileIssueCode): Breach[] {
  const seen = new Set<string>();
  return entries.flatMap(({ text, at }): Breach[] => {
    if (text === undefined || !seen.has(text)) {
      if (text !== undefined) seen.add(text);
      return [];
    }
    return [{ code, message: `The ${what} ${quote(text)} is there twice.`, at, expected: `each ${what} once` }];
  });
}

function isMarkedPrimary({ fields }: Draft): boolean {
  return fields.primary === true;
}

function microText(name: string | undefined, at: Steps): string {
  return name === undefined ? `\`${pathText(at)}\`` : `Micro ${quote(name)}`;
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value as Fields : {};
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
