// Owns how a project's folder becomes the zip that a build takes: which files, in which form.
// The same files make the same bytes, so that a host can tell that nothing changed.
import { createWriteStream, openAsBlob } from 'node:fs';
import { mkdtemp, readdir, readFile, realpath, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ZipFile } from 'yazl';
import { Failure } from './failure.ts';
import { createIgnore } from './space-ignore.ts';
import type { Ignore } from './space-ignore.ts';

/** @source Deta Space, limits of a build */
const SOURCE_MAX_BYTES = 250_000_000;
/** Zip knows no earlier time; a real one would change the bytes. */
const ENTRY_TIME = new Date('1980-01-02T00:00:00Z');

export interface SourceFile {
  /** Relative to the project, with `/`. */
  path: string;
  sizeBytes: number;
  isExecutable: boolean;
}

/** What is sent in place of what lies there. */
export interface SourceChange {
  /** Whether a file stays behind although `.spaceignore` says nothing of it. */
  leaves(path: string): boolean;
  /** Path -> text; wins over a file of that name. */
  texts: Readonly<Record<string, string>>;
}

export interface SourceZip extends AsyncDisposable {
  files: SourceFile[];
  content: Blob;
}

/** Everything that `.spaceignore` does not leave behind, sorted by path. @throws Failure IGNORE_UNREADABLE */
export async function listSourceFiles(dir: string): Promise<SourceFile[]> {
  const text = await readFile(join(dir, '.spaceignore'), 'utf8').catch(noneWhereMissing);
  const files = await walk(dir, '', createIgnore(text));
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** What it leaves behind may be secret: where it is there and cannot be read, nothing is sent. */
function noneWhereMissing(error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT') return '';
  throw new Failure({
    code: 'IGNORE_UNREADABLE', what: `\`.spaceignore\` cannot be read (${error.code}).`, why: 'Without it, files would be sent that it leaves behind.',
    remedy: 'Make it a text file that you may read, or remove it.',
  }, { cause: error });
}

/** @throws Failure SOURCE_EMPTY, SOURCE_TOO_LARGE; dispose of it to remove the temporary file */
export async function createSourceZip(dir: string, change: SourceChange = { leaves: () => false, texts: {} }): Promise<SourceZip> {
  const listed = await listSourceFiles(dir);
  const files = listed.filter(({ path }) => change.texts[path] === undefined && !change.leaves(path));
  if (files.length > 0 || Object.keys(change.texts).length === 0) checkSize(files);
  const folder = await mkdtemp(join(tmpdir(), 'space-push-'));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    const path = join(folder, 'source.zip');
    await writeZip(dir, { files, texts: change.texts }, path);
    return { files, content: await openAsBlob(path), [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** A matched folder is skipped whole. Links to files are read, links to folders would leave the project and are not followed. */
async function walk(root: string, folder: string, ignore: Ignore): Promise<SourceFile[]> {
  const found: SourceFile[] = [];
  for (const entry of await readdir(join(root, folder), { withFileTypes: true })) {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (ignore(path)) continue;
    if (entry.isDirectory()) found.push(...(await walk(root, path, ignore)));
    else if (entry.isFile() || entry.isSymbolicLink()) found.push(...(await describeFile(root, path)));
  }
  return found;
}

/** @throws Failure LINK_LEADS_OUT: a folder from somebody else may link to what is private here */
async function describeFile(root: string, path: string): Promise<SourceFile[]> {
  const stats = await stat(join(root, path)).catch(() => undefined);
  if (!stats?.isFile()) return [];
  const target = await realpath(join(root, path));
  if (relative(await realpath(root), target).split(sep)[0] === '..') {
    throw new Failure({
      code: 'LINK_LEADS_OUT', what: `\`${path}\` is a link to ${target}, outside the project.`, why: 'Its content would be published with the app.',
      remedy: `Copy the file into the project, or leave it out: a line \`${path}\` in \`.spaceignore\`.`,
    });
  }
  return [{ path, sizeBytes: stats.size, isExecutable: (stats.mode & 0o100) !== 0 }];
}

function checkSize(files: readonly SourceFile[]): void {
  if (files.length === 0) throw new Failure({ code: 'SOURCE_EMPTY', what: 'There is no file to push.', remedy: 'Check `.spaceignore`: it may leave everything behind.' });
  const total = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  if (total <= SOURCE_MAX_BYTES) return;
  const largest = files.toSorted((a, b) => b.sizeBytes - a.sizeBytes).slice(0, 3);
  throw new Failure({
    code: 'SOURCE_TOO_LARGE',
    what: `The project has ${Math.round(total / 1e6)} MB; a push takes ${SOURCE_MAX_BYTES / 1e6} MB at most.`,
    why: `The largest files: ${largest.map((file) => `${file.path} (${Math.round(file.sizeBytes / 1e6)} MB)`).join(', ')}.`,
    remedy: 'Leave out what the app does not need: one line each in `.spaceignore`.',
  });
}

async function writeZip(dir: string, { files, texts }: { files: readonly SourceFile[]; texts: SourceChange['texts'] }, path: string): Promise<void> {
  const zip = new ZipFile();
  const failed = new Promise<never>((_, reject) => (zip as unknown as NodeJS.EventEmitter).once('error', reject));
  for (const file of files) {
    zip.addFile(join(dir, file.path), file.path, { mtime: ENTRY_TIME, forceDosTimestamp: true, mode: file.isExecutable ? 0o100755 : 0o100644 });
  }
  for (const [name, text] of Object.entries(texts)) zip.addBuffer(Buffer.from(text), name, { mtime: ENTRY_TIME, forceDosTimestamp: true, mode: 0o100644 });
  zip.end();
  await Promise.race([pipeline(zip.outputStream, createWriteStream(path)), failed]);
}
