// Owns how values look as text: console lines and guests' errors. Bounded in depth, width and length.

const DEPTH = 4;
const CAUSES = 5;
const WIDTH = 100;
const TEXT_MAX_CHARS = 8 * 1024;

/** A console line of all arguments, with %s, %d, %i, %f, %j, %o, %O and %c. */
export function formatLine(args: unknown[]): string {
  let rest = args;
  let text = '';
  if (typeof args[0] === 'string') {
    let used = 1;
    text = args[0].includes('%') && args.length > 1
      ? args[0].replace(/%([sdifjoOc%])/g, (whole, kind) => (kind === '%' ? '%' : used < args.length ? formatOne(kind, args[used++]) : whole))
      : args[0];
    rest = args.slice(used);
    if (rest.length > 0) text += ' ';
  }
  text += rest.map((value) => (typeof value === 'string' ? value : inspect(value))).join(' ');
  return clip(text, TEXT_MAX_CHARS);
}

function formatOne(kind: string, value: unknown): string {
  switch (kind) {
    case 's': return typeof value === 'string' ? value : inspect(value);
    case 'd': return String(Number(value));
    case 'i': return String(parseInt(String(value), 10));
    case 'f': return String(parseFloat(String(value)));
    case 'j': return JSON.stringify(value) ?? 'undefined';
    case 'c': return '';
    default: return inspect(value);
  }
}

export function clip(text: string, maxChars: number): string {
  return text.length <= maxChars ? text : `${text.slice(0, maxChars)}... (${text.length - maxChars} more characters)`;
}

export function inspect(value: unknown): string {
  try {
    return show(value, 0, []);
  } catch {
    return '[cannot be shown]';
  }
}

function show(value: unknown, depth: number, path: unknown[]): string {
  if (typeof value === 'string') return depth === 0 ? value : JSON.stringify(clip(value, 1000));
  if (typeof value === 'bigint') return clip(`${value}n`, 1000);
  if (typeof value === 'function') return `[Function ${value.name || '(anonymous)'}]`;
  if (typeof value !== 'object' || value === null) return String(value);
  if (path.includes(value)) return '[Circular]';
  if (value instanceof Error) return describeError(value).stack ?? describeError(value).reason;
  if (depth >= DEPTH) return Array.isArray(value) ? '[Array]' : '[Object]';
  return showObject(value, depth, [...path, value]);
}

function showObject(value: object, depth: number, path: unknown[]): string {
  const inner = (item: unknown): string => show(item, depth + 1, path);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
  if (value instanceof RegExp) return String(value);
  if (Array.isArray(value)) return `[ ${listed(value, inner)} ]`.replace('[  ]', '[]');
  if (value instanceof Map) return `Map(${value.size}) { ${listed([...value], ([key, item]) => `${inner(key)} => ${inner(item)}`)} }`;
  if (value instanceof Set) return `Set(${value.size}) { ${listed([...value], inner)} }`;
  if (value instanceof Promise) return 'Promise {}';
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) return `${value.constructor.name}(${(value as any).length}) [ ${listed([...(value as any).subarray(0, WIDTH)], inner)} ]`;
  const name = value.constructor?.name;
  const prefix = name === undefined ? '[Object: null prototype] ' : name === 'Object' ? '' : `${name} `;
  const shown = listed(Object.keys(value), (key) => `${/^[A-Za-z_$][\w$]*$/.test(key) ? key : JSON.stringify(key)}: ${inner((value as any)[key])}`);
  return shown === '' ? `${prefix}{}` : `${prefix}{ ${shown} }`;
}

function listed<T>(items: readonly T[], one: (item: T) => string): string {
  const shown = items.slice(0, WIDTH).map(one).join(', ');
  return items.length > WIDTH ? `${shown}, ... ${items.length - WIDTH} more` : shown;
}

/** What a guest threw, as text: message and stack. The only place that reads a guest's error. */
export function describeError(error: unknown, causes = CAUSES): { reason: string; stack?: string } {
  try {
    if (typeof error !== 'object' || error === null) return { reason: clip(`thrown: ${String(error)}`, 1000) };
    const { name, message, stack, cause } = error as { name?: unknown; message?: unknown; stack?: unknown; cause?: unknown };
    const reason = clip(`${String(name ?? 'Error')}: ${String(message ?? inspect(error))}`, 2000);
    if (typeof stack !== 'string') return { reason };
    const text = withoutOwnLines(stack);
    return { reason, stack: clip(cause === undefined ? text : `${text}\n  caused by: ${describeCause(cause, causes - 1)}`, TEXT_MAX_CHARS) };
  } catch {
    return { reason: 'something was thrown that cannot be read' };
  }
}

function describeCause(cause: unknown, causes: number): string {
  return causes === 0 ? '...' : (describeError(cause, causes).stack ?? inspect(cause));
}

/** Lines of this runtime say nothing to a developer. */
function withoutOwnLines(stack: string): string {
  return stack.split('\n').filter((line) => !/\(?(ownspace:|<isolated-vm)/.test(line)).join('\n');
}
