// Owns what `deta` means in a requirements.txt. PyPI has given that name to a program of somebody else (0.1.x and 0.2.x), and
// the releases of Deta's SDK are gone: this host offers a package of its own in their place, which programs import alike.
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { ZipFile } from 'yazl';

/** Releases that there were, and programs may name. */
const RELEASES = ['0.7', '0.8', '0.9', '1.0.0', '1.0.1', '1.1.0', '1.1.0a2', '1.2.0'];
const SOURCE = fileURLToPath(new URL('python/deta', import.meta.url));
const CONSTRAINTS = 'constraints.txt';

/** Write the packages that pip shall find, and what it may not take instead, into `folder`.
 *  @returns the name of that file of constraints */
export async function provideDeta(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const sources = await Promise.all((await readdir(SOURCE)).filter((name) => name.endsWith('.py')).sort().map(async (name) => [`deta/${name}`, await readFile(join(SOURCE, name))] as const));
  for (const version of RELEASES) await writeWheel(join(folder, `deta-${version}-py3-none-any.whl`), version, sources);
  // Whatever PyPI's program will be called next.
  await writeFile(join(folder, CONSTRAINTS), `deta<=${RELEASES.at(-1)}\n`);
  return CONSTRAINTS;
}

/** @source packaging.python.org, binary distribution format */
async function writeWheel(path: string, version: string, sources: (readonly [string, Buffer])[]): Promise<void> {
  const info = `deta-${version}.dist-info`;
  const text = (content: string): Buffer => Buffer.from(content);
  const files = [
    ...sources,
    ['deta/version.py', text(`# Owns which release this stands for.\nVERSION = "${version}"\n`)] as const,
    [`${info}/METADATA`, text(`Metadata-Version: 2.1\nName: deta\nVersion: ${version}\nSummary: Base and Drive of this Space, for programs written with Deta's SDK\nProvides-Extra: async\n`)] as const,
    [`${info}/WHEEL`, text('Wheel-Version: 1.0\nGenerator: ownspace\nRoot-Is-Purelib: true\nTag: py3-none-any\n')] as const,
  ];
  const record = files.map(([name, content]) => `${name},sha256=${createHash('sha256').update(content).digest('base64url')},${content.length}\n`).join('');
  const zip = new ZipFile();
  const mtime = new Date(2020, 0, 1);
  for (const [name, content] of [...files, [`${info}/RECORD`, text(`${record}${info}/RECORD,,\n`)] as const]) zip.addBuffer(content, name, { mtime });
  zip.end();
  await pipeline(zip.outputStream, createWriteStream(path));
}
