// Owns what the form of an import does: the zip that it brings goes into a Collection, or is only tried.
import type { ArchiveView } from '../../dashboard/archive.ts';
import type { CollectionRef } from '../../sandbox-data/data.ts';
import type { ApiParts } from '../api/parts.ts';
import type { PersonalRequest } from '../api/route.ts';

/** Who goes away ends the import; done again it goes on. @throws ARCHIVE_INVALID, INVALID_FIELD, QUOTA_EXCEEDED, STORE_FULL */
export async function importedBy({ data }: Pick<ApiParts, 'data'>, request: PersonalRequest, ref: CollectionRef): Promise<NonNullable<ArchiveView['imported']>> {
  const { fields, file } = await request.upload();
  const isRehearsal = fields['dry_run'] === 'true';
  const archive = await data.collection(ref).receiveArchive(file);
  try {
    return { isRehearsal, ...(await archive.run({ isRehearsal, signal: request.signal })) };
  } finally {
    await archive.close();
  }
}
