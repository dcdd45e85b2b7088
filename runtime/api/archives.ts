// Owns the endpoints of export and import: the Items and Files of a Collection as one zip, out and in, as streams.
import { setTimeout as sleep } from 'node:timers/promises';
import type { WireImportLine, WireImportReport } from '../../core/wire.ts';
import { isSpaceError, toSpaceError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import type { ArchiveImport, CollectionRef, ImportProgress, ImportReport } from '../../sandbox-data/data.ts';
import { errorBody, logError } from '../http/reply.ts';
import type { ApiParts } from './parts.ts';
import { api, type PersonalRequest, type Reply, type Route } from './route.ts';

/** A line at least this often, so that nobody on the way takes the silence for the end. */
const PROGRESS_MS = 1000;

export function archiveRoutes({ data, log }: ApiParts): Route[] {
  async function exported({ query }: PersonalRequest, ref: CollectionRef, name: string): Promise<Reply> {
    const stream = await data.collection(ref).exportArchive(query.get('snapshot') ?? undefined);
    return { file: { stream, contentType: 'application/zip', name: `${name}.zip` } };
  }

  async function imported(request: PersonalRequest, ref: CollectionRef): Promise<Reply> {
    const archive = await data.collection(ref).receiveArchive(request.stream());
    const source = importLines(archive, { isRehearsal: request.query.get('dry_run') === 'true', request, log });
    return { lines: { source, contentType: 'application/x-ndjson; charset=utf-8' } };
  }

  return [
    api('GET /api/v0/collections/:id/export', {
      access: 'person', object: 'collection', handle: (request, { id, spaceId, name }) => exported(request, { spaceId, collectionId: id }, name),
    }),
    api('GET /api/v0/instances/:id/export', {
      access: 'person', object: 'instance', handle: (request, { spaceId, collectionId, label }) => exported(request, { spaceId, collectionId }, label),
    }),
    api('POST /api/v0/collections/:id/import', {
      access: 'person', object: 'collection', streams: true, handle: (request, { id, spaceId }) => imported(request, { spaceId, collectionId: id }),
    }),
    api('POST /api/v0/instances/:id/import', {
      access: 'person', object: 'instance', streams: true, handle: (request, { spaceId, collectionId }) => imported(request, { spaceId, collectionId }),
    }),
  ];
}

/** `{"progress"}` again and again, then one `{"report"}` or `{"error"}`. Who goes away ends the import; done again it goes on. */
async function* importLines(archive: ArchiveImport, { isRehearsal, request, log }: { isRehearsal: boolean; request: PersonalRequest; log: Log }): AsyncGenerator<string> {
  let progress: ImportProgress | undefined;
  const running = archive.run({ isRehearsal, signal: request.signal, onProgress: (latest) => { progress = latest; } }).then(
    (report): WireImportLine => ({ report: wireReport(report, isRehearsal) }),
    (error: unknown): WireImportLine => {
      const known = isSpaceError(error) ? error : toSpaceError(error);
      if (!request.signal.aborted) logError(log, known, request.id);
      return { error: errorBody(known, request.id) };
    },
  ).finally(() => archive.close());
  for (;;) {
    const end = await Promise.race([running, sleep(PROGRESS_MS)]);
    if (end) return yield JSON.stringify(end);
    if (progress) yield JSON.stringify({ progress: { step: progress.step, bytes: progress.bytes, total_bytes: progress.totalBytes } } satisfies WireImportLine);
  }
}

function wireReport({ bases, drives, ignored, isVerified }: ImportReport, isRehearsal: boolean): WireImportReport {
  return { dry_run: isRehearsal, bases, drives, ignored, verified: isVerified };
}
