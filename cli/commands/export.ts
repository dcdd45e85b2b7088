// Owns `space export`: the Items and Files of an app into a zip.
import { open, rename, rm, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import { HostUnreachable } from '../../client/transport.ts';
import { chooseData, withData } from '../choose-data.ts';
import type { DataOptions } from '../choose-data.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../command.ts';
import { Failure } from '../failure.ts';
import { formatBytes } from '../output.ts';

interface Options extends DataOptions { out?: string; snapshot?: string }

export const exportCommand = defineCommand<Options>({
  summary: 'save the data of an app as a zip',
  configure: (command) =>
    withData(command)
      .option('-o, --out <file>', 'where to (default: NAME-DATE.zip in this folder)')
      .option('--snapshot <id>', 'the data of this snapshot, in place of today\'s'),
  async run(context, options) {
    const api = await context.api();
    const chosen = await chooseData(context, api, options);
    const path = resolve(context.io.cwd, options.out ?? `${fileName(chosen.name)}-${new Date().toISOString().slice(0, 19).replaceAll(':', '')}.zip`);
    if (!(await isFolder(dirname(path)))) throw new Failure({ code: 'FILE_ACCESS', what: `There is no folder ${dirname(path)}.`, remedy: 'Make it, or give another --out.' });
    const bytes = await save(context, await api.exportArchive(chosen.owner, options.snapshot), path);
    context.done(`Exported ${chosen.name}: ${formatBytes(bytes)}.`);
    context.result({ file: path, bytes, collection_id: chosen.collectionId }, path);
  },
});

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then((found) => found.isDirectory(), () => false);
}

/** The file is there once it is whole; until then it has another name. @returns its bytes */
async function save({ io }: Context, answer: Response, path: string): Promise<number> {
  const partPath = `${path}.part`;
  const file = await open(partPath, 'w');
  const spinner = io.spin('Exporting');
  let bytes = 0;
  const count = new Transform({ transform(chunk: Buffer, _, done) {
    bytes += chunk.length;
    spinner.update(`Exporting: ${formatBytes(bytes)}`);
    done(null, chunk);
  } });
  try {
    const source = Readable.fromWeb(answer.body as ReadableStream);
    source.on('error', (error) => count.destroy(new HostUnreachable(answer.url, 'the connection broke off', { cause: error })));
    await pipeline(source, count, file.createWriteStream({ flush: true }), { signal: io.signal });
    await rename(partPath, path);
    return bytes;
  } catch (error) {
    await rm(partPath, { force: true });
    throw error;
  } finally {
    spinner.stop();
  }
}

function fileName(name: string): string {
  return name.replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[-.]+/, '') || 'export';
}
