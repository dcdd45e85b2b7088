// Owns MIME types as the MIME Sniffing standard reads and writes them: what a body's Content-Type says.

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

export interface MimeType { essence: string; parameters: Map<string, string> }

/** The last one that makes sense, of what several headers said. */
export function parseMimeType(header: string | null): MimeType | undefined {
  let found: MimeType | undefined;
  for (const part of splitList(header ?? '')) {
    const type = parseOne(part);
    if (type && type.essence !== '*/*') found = type;
  }
  return found;
}

export function mimeTypeText({ essence, parameters }: MimeType): string {
  let text = essence;
  for (const [name, value] of parameters) text += `;${name}=${TOKEN.test(value) ? value : `"${value.replace(/[\\"]/g, '\\$&')}"`}`;
  return text;
}

/** At commas that are not quoted. */
function splitList(text: string): string[] {
  return text.match(/(?:[^,"]|"(?:[^"\\]|\\.)*"?)+/g) ?? [];
}

function parseOne(text: string): MimeType | undefined {
  const [essence, ...rest] = splitParameters(text.replace(/^[\t\n\r ]+|[\t\n\r ]+$/g, ''));
  const [type, subtype, more] = (essence ?? '').replace(/[\t\n\r ]+$/, '').split('/');
  if (type === undefined || subtype === undefined || more !== undefined || !TOKEN.test(type) || !TOKEN.test(subtype)) return undefined;
  const parameters = new Map<string, string>();
  for (const parameter of rest) addParameter(parameters, parameter);
  return { essence: `${type}/${subtype}`.toLowerCase(), parameters };
}

/** At semicolons that are not quoted. */
function splitParameters(text: string): string[] {
  return text.match(/(?:[^;"]|"(?:[^"\\]|\\.)*"?)+/g) ?? [];
}

function addParameter(parameters: Map<string, string>, text: string): void {
  const at = text.indexOf('=');
  if (at < 0) return;
  const name = text.slice(0, at).replace(/^[\t\n\r ]+/, '').toLowerCase();
  const raw = text.slice(at + 1);
  const quoted = /^"((?:[^"\\]|\\.)*)"?/.exec(raw);
  const value = quoted ? quoted[1]!.replace(/\\(.)/g, '$1') : raw.replace(/[\t\n\r ]+$/, '');
  if (TOKEN.test(name) && VALUE.test(value) && (quoted || value !== '') && !parameters.has(name)) parameters.set(name, value);
}
