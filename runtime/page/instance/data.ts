// Owns the tab of an Instance's data.
import { dataPage } from '../../../dashboard/pages/instance/data.ts';
import type { ApiParts } from '../../api/parts.ts';
import { page, type Route } from '../../api/route.ts';
import { frameOf } from './frame.ts';

export function dataPages(parts: ApiParts): Route[] {
  return [
    page('GET /apps/:id/data', {
      access: 'person', object: 'instance',
      async handle(request, instance) {
        const { bases, drives } = await parts.data.collection({ spaceId: instance.spaceId, collectionId: instance.collectionId }).usage();
        return { html: dataPage({ ...(await frameOf(parts, request, instance)), collectionId: instance.collectionId, bases, drives }) };
      },
    }),
  ];
}
