// Owns the shape of the document: runs the JSON schema and words what it finds. Must not know rules between fields.
import { Ajv } from 'ajv';
import type { ErrorObject, ValidateFunction } from 'ajv';
import type { SpacefileDocument, Steps } from './document.ts';
import { ENGINE_ALIASES } from './engines.ts';
import { nearest, printable, quote } from './issue.ts';
import schema from './spacefile.schema.json' with { type: 'json' };
import type { SpacefileIssue, SpacefileIssueCode } from './types.ts';

/** More than a report shows, so that the earliest ones in the text are among them. */
const FINDINGS_LIMIT = 200;
/** Only the first entries of a list are looked at: gathering all findings takes the validator quadratic time. */
const ENTRIES_LIMIT = 200;

let compiled: ValidateFunction | undefined;

export function shapeIssues(document: SpacefileDocument): SpacefileIssue[] {
  // That the schema itself is one, a test sees to: here it would take as long as all the rest of a short command.
  compiled ??= new Ajv({ allErrors: true, verbose: true, strict: true, meta: false, validateSchema: false }).compile(schema);
  if (compiled(withShortLists(document.value))) return [];
  const issues = (compiled.errors ?? []).slice(0, FINDINGS_LIMIT).map((error) => issueOf(error, document));
  // A value of the wrong type also fails the rules for the right one: its first finding says enough.
  const seen = new Set<string>();
  return issues.filter(({ path }) => !seen.has(path) && seen.add(path));
}

/** A copy as deep as the schema goes; what lies deeper is refused by it, whatever it is. */
function withShortLists(value: unknown, depth = 7): unknown {
  if (depth === 0 || typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.slice(0, ENTRIES_LIMIT).map((entry) => withShortLists(entry, depth - 1));
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, withShortLists(entry, depth - 1)]));
}

/** What a finding says; `key` is the field of the value that it is about, when it is about one. */
interface Finding {
  code: SpacefileIssueCode;
  message: string;
  key?: string;
  expected?: string;
  suggestion?: string | undefined;
}

function issueOf(error: ErrorObject, document: SpacefileDocument): SpacefileIssue {
  const steps = stepsOf(error.instancePath, document.value);
  const { key, ...finding } = findingOf(error, fieldOf(steps));
  const path = pathText(key === undefined ? steps : [...steps, key]);
  return { ...finding, path, ...document.locate(steps, key) };
}

function findingOf(error: ErrorObject, field: string): Finding {
  const { params, data } = error;
  switch (error.keyword) {
    case 'additionalProperties': return unknownField(error, field);
    case 'required': return { code: 'MISSING_FIELD', message: `${field} has no \`${params.missingProperty}\`.`, key: String(params.missingProperty), expected: describe(error.parentSchema?.properties?.[params.missingProperty]) };
    case 'type': return wrongType(error, field);
    case 'enum': return unknownValue(error, field);
    case 'pattern': return { code: 'INVALID_FORMAT', message: `${field} cannot be ${quote(data)}.`, expected: error.parentSchema?.description ?? `text that matches ${params.pattern}` };
    case 'minItems': return { code: 'TOO_FEW', message: `${field} is empty.`, expected: `${params.limit} or more` };
    case 'maxItems': return { code: 'TOO_MANY', message: `${field} has too many entries.`, expected: `${params.limit} at most` };
    case 'minLength': return { code: 'TOO_SHORT', message: `${field} is empty.`, expected: 'some text' };
    case 'maxLength': return { code: 'TOO_LONG', message: `${field} has ${(data as string).length} characters.`, expected: `${params.limit} at most` };
    case 'uniqueItems': return { code: 'DUPLICATE_VALUE', message: `${field} has the same entry twice (numbers ${params.j + 1} and ${params.i + 1}).`, expected: 'each entry once' };
    default: return { code: 'INVALID_VALUE', message: `${field} ${error.message ?? 'is not valid'}.` };
  }
}

function unknownField(error: ErrorObject, field: string): Finding {
  const name = String(error.params.additionalProperty);
  const known = Object.keys(error.parentSchema?.properties ?? {});
  return { code: 'UNKNOWN_FIELD', message: `${field} has an unknown field ${quote(name)}.`, key: name, expected: expectOneOf(known), suggestion: nearest(name, known) };
}

function unknownValue(error: ErrorObject, field: string): Finding {
  const valid = (error.params.allowedValues as unknown[]).map(String).filter((value) => !Object.hasOwn(ENGINE_ALIASES, value));
  return { code: 'INVALID_VALUE', message: `${field} cannot be ${quote(error.data)}.`, expected: expectOneOf(valid), suggestion: nearest(String(error.data), valid) };
}

function expectOneOf(values: readonly string[]): string {
  return values.length === 1 ? String(values[0]) : `one of ${values.join(', ')}`;
}

const TYPE_NAMES: Record<string, string> = { string: 'text', boolean: 'true or false', integer: 'a whole number', array: 'a list', object: 'fields with values' };

function wrongType(error: ErrorObject, field: string): Finding {
  const { data } = error;
  const type = String(error.params.type);
  const message = data === null || data === undefined ? `${field} ${error.instancePath === '' ? 'is empty' : 'has no value'}.` : `${field} cannot be ${quote(data)}.`;
  return { code: 'WRONG_TYPE', message, expected: TYPE_NAMES[type] ?? type, suggestion: convert(data, type) };
}

/** The value as it would have to be written. */
function convert(data: unknown, type: string): string | undefined {
  if (type === 'string' && (typeof data === 'number' || typeof data === 'boolean')) return `"${data}"`;
  if (type === 'array' && typeof data === 'string') return `[${JSON.stringify(data)}]`;
  if (type === 'boolean' && typeof data === 'string') return BOOLEAN_WORDS.get(data.toLowerCase());
  return type === 'integer' && typeof data === 'string' && /^\d{1,9}$/.test(data) ? data : undefined;
}

/** What YAML 1.1, but not 1.2, took for a boolean, and quoted booleans. */
const BOOLEAN_WORDS = new Map([['yes', 'true'], ['on', 'true'], ['true', 'true'], ['no', 'false'], ['off', 'false'], ['false', 'false']]);

function describe(property: { type?: string } | undefined): string | undefined {
  return property?.type === undefined ? undefined : TYPE_NAMES[property.type];
}

/** A JSON pointer as keys and indexes. */
function stepsOf(pointer: string, root: unknown): (string | number)[] {
  let value = root;
  return pointer.split('/').slice(1).map((token) => {
    const key = token.replaceAll('~1', '/').replaceAll('~0', '~');
    const step = Array.isArray(value) ? Number(key) : key;
    value = (value as Record<string | number, unknown> | undefined)?.[step];
    return step;
  });
}

/** Such as `micros[1].engine`. */
export function pathText(steps: Steps): string {
  return steps.map((step) => typeof step === 'number' ? `[${step}]` : `.${printable(step.slice(0, 100))}`).join('').replace(/^\./, '');
}

function fieldOf(steps: Steps): string {
  return steps.length === 0 ? 'The Spacefile' : `\`${pathText(steps)}\``;
}
