// Owns how a route finds the object that it acts on. Whose it is, is for the edge to compare.
import { orMissing } from '../../core/errors.ts';
import type { ApiParts } from './parts.ts';
import type { RouteObject, RouteObjects } from './route.ts';

type Loaders = { [K in RouteObject]: (id: string) => Promise<RouteObjects[K] | undefined> };

export function loaderOf({ builder, installations, instances, collections, trash }: ApiParts): <K extends RouteObject>(kind: K, id: string) => Promise<RouteObjects[K] | undefined> {
  const loaders: Loaders = {
    project: (id) => orMissing(builder.projects.get(id)),
    build: (id) => orMissing(builder.builds.get(id)),
    revision: (id) => orMissing(builder.revisions.get(id)),
    release: (id) => orMissing(builder.releases.get(id)),
    installation: (id) => installations.get(id),
    trashed: (id) => trash.get(id),
    instance: (id) => instances.get(id),
    collection: async (id) => {
      const record = await collections.get(id);
      return record?.trashedAt === null ? record : undefined;
    },
  };
  return (kind, id) => loaders[kind](id);
}
