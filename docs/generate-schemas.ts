// Owns runtime/api/wire-schemas.json: the shapes of core/wire.ts as JSON Schema, for the description of the HTTP API.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createGenerator } from 'ts-json-schema-generator';

const ROOT = join(import.meta.dirname, '..');
const SOURCE = join(ROOT, 'core', 'wire.ts');

/** The whole file. */
export async function renderSchemas(): Promise<string> {
  const names = [...(await readFile(SOURCE, 'utf8')).matchAll(/^export (?:interface|type) (Wire\w+)/gm)].map(([, name = '']) => name);
  // More fields may come with every version: who reads an answer has to pass over them.
  const generator = createGenerator({ path: SOURCE, type: '*', skipTypeCheck: true, additionalProperties: true, encodeRefs: false });
  const found = names.flatMap((name) => Object.entries(generator.createSchema(name).definitions ?? {}));
  const schemas = Object.fromEntries(found.toSorted(([a], [b]) => (a < b ? -1 : 1)));
  return `${JSON.stringify(schemas, null, 1).replaceAll('#/definitions/', '#/components/schemas/')}\n`;
}

if (import.meta.main) await writeFile(join(ROOT, 'runtime', 'api', 'wire-schemas.json'), await renderSchemas());
