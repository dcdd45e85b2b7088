// Owns the tab of an Instance's data.
import { dataPage, type DataView } from '../../../dashboard/pages/instance/data.ts';
import type { ApiParts } from '../../api/parts.ts';
import { page, type PersonalRequest, type Route } from '../../api/route.ts';
import type { Instance } from '../../instance/instance.ts';
import { retried } from '../account.ts';
import { importedBy } from '../archive.ts';
import { frameOf } from './frame.ts';

export function dataPages(parts: ApiParts): Route[] {
  const tab = async (request: PersonalRequest, instance: Instance, more: Partial<DataView> = {}): Promise<string> => {
    const { bases, drives } = await parts.data.collection(refOf(instance)).usage();
    return dataPage({ ...(await frameOf(parts, request, instance)), collectionId: instance.collectionId, bases, drives, ...more });
  };

  return [
    page('GET /apps/:id/data', { access: 'person', object: 'instance', handle: async (request, instance) => ({ html: await tab(request, instance) }) }),
    page('POST /apps/:id/data/import', {
      access: 'person', object: 'instance', streams: true,
      handle: (request, instance) => retried(async () => ({ html: await tab(request, instance, { imported: await importedBy(parts, request, refOf(instance)) }) }),
        (error) => tab(request, instance, { importError: error.message })),
    }),
  ];
}

function refOf({ spaceId, collectionId }: Instance): { spaceId: string; collectionId: string } {
  return { spaceId, collectionId };
}
