// Owns what App Actions look like: reading what a Micro says it can do, which may be anything, checking inputs, and wrapping
// outputs. Pure. @source reference 3.7
import { SpaceError } from '../../core/errors.ts';
import { normalizePath } from '../../spacefile-schema/route.ts';

export interface ActionInput { name: string; type: 'string' | 'number' | 'boolean'; optional: boolean }
export interface AppAction {
  name: string;
  title: string;
  micro: string;
  /** As the Micro sees it; always a path of its own. */
  path: string;
  input: ActionInput[];
  output: string;
}

/** More of it is not read. */
export const METADATA_MAX_BYTES = 64 * 1024;
const ACTIONS_MAX = 50;
const INPUTS_MAX = 32;
const TITLE_MAX = 142;
const PATH_MAX = 512;
const NAME = /^[\p{L}\p{N}][\p{L}\p{N} _.:@/-]{0,63}$/u;
const RAW = '@deta/raw';
const INPUT_TYPES = ['string', 'number', 'boolean'] as const;

/** What a Micro offers; what is not in order is left out, so that the rest can be used.
 *  @returns undefined when it is no metadata at all */
export function readActions(text: string, micro: string): AppAction[] | undefined {
  const listed = objectOf(parsed(text))?.['actions'];
  if (!Array.isArray(listed)) return undefined;
  const seen = new Set<string>();
  return listed.slice(0, ACTIONS_MAX).flatMap((entry: unknown) => {
    const action = readAction(entry, micro);
    if (!action || seen.has(action.name)) return [];
    seen.add(action.name);
    return [action];
  });
}

function readAction(entry: unknown, micro: string): AppAction | undefined {
  const { name, title, path, input, output } = objectOf(entry) ?? {};
  if (typeof name !== 'string' || !NAME.test(name)) return undefined;
  const inputs = readInputs(input ?? []);
  const own = ownPath(path ?? `/__space/actions/${encodeURIComponent(name)}`);
  if (inputs === undefined || own === undefined) return undefined;
  return {
    name, micro, path: own, input: inputs,
    title: typeof title === 'string' && title.trim() !== '' ? title.trim().slice(0, TITLE_MAX) : name,
    output: typeof output === 'string' && NAME.test(output.replace(/^@/, '')) ? output : RAW,
  };
}

function readInputs(inputs: unknown): ActionInput[] | undefined {
  if (!Array.isArray(inputs) || inputs.length > INPUTS_MAX) return undefined;
  const read = inputs.map((entry: unknown): ActionInput | undefined => {
    const { name, type, optional } = objectOf(entry) ?? {};
    const known = INPUT_TYPES.find((each) => each === type);
    return typeof name === 'string' && NAME.test(name) && known ? { name, type: known, optional: optional === true } : undefined;
  });
  const all = read.filter((each) => each !== undefined);
  return all.length === inputs.length && new Set(all.map(({ name }) => name)).size === all.length ? all : undefined;
}

/** A path of the Micro itself, whatever it wrote; what is the platform's to send is not for it to name. */
function ownPath(path: unknown): string | undefined {
  if (typeof path !== 'string' || path.length > PATH_MAX || path.includes('?') || path.includes('#')) return undefined;
  if (/^[a-z][a-z0-9+.-]*:/i.test(path) || path.startsWith('//')) return undefined;
  const normal = normalizePath(path.startsWith('/') ? path : `/${path}`);
  return normal === undefined || /^\/__space\/v0(?:\/|$)/i.test(normal) ? undefined : normal;
}

/** The inputs as they are sent on: known ones only, each of its type. @throws ACTION_INPUT_INVALID */
export function checkInputs({ input, name: action }: AppAction, given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const refuse = (name: string, reason: string): never => { throw new SpaceError('ACTION_INPUT_INVALID', { action, input: name.slice(0, 64), reason }); };
  for (const name of Object.keys(given)) if (!input.some((each) => each.name === name)) refuse(name, `is not asked for; it takes ${input.map((each) => each.name).join(', ') || 'nothing'}`);
  return Object.fromEntries(input.flatMap(({ name, type, optional }) => {
    const value = Object.hasOwn(given, name) ? given[name] : undefined;
    if (value === undefined || value === null) return optional ? [] : refuse(name, 'is missing');
    if (typeof value !== type || (type === 'number' && !Number.isFinite(value))) refuse(name, `is a ${type}`);
    return [[name, value]];
  }));
}

/** What the Micro answered, as its caller gets it. Cards that the platform knows have an object for data, and link to the web only. */
export function wrapOutput({ output }: AppAction, text: string): { type: string; data: unknown } {
  const data = parsed(text);
  const value = data === undefined ? text : data;
  if (!['@deta/detail', '@deta/file', '@deta/list'].includes(output)) return { type: output, data: value };
  return objectOf(value) ? { type: output, data: withWebLinks(value) } : { type: RAW, data: value };
}

const LINKS: ReadonlySet<string> = new Set(['url', 'image_url']);

/** Links that a browser would run, or that lead into its own machine, are taken out. */
function withWebLinks(value: unknown, depth = 0): unknown {
  if (depth > 16) return null;
  if (Array.isArray(value)) return value.map((entry) => withWebLinks(entry, depth + 1));
  const object = objectOf(value);
  if (!object) return value;
  return Object.fromEntries(Object.entries(object).flatMap(([name, entry]) => {
    if (!LINKS.has(name) || typeof entry !== 'string') return [[name, withWebLinks(entry, depth + 1)]];
    const url = URL.parse(entry, 'https://here');
    return url && (url.protocol === 'https:' || url.protocol === 'http:') ? [[name, entry]] : [];
  }));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function objectOf(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
}
