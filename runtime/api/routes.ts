// Owns the one table of all routes of the control plane and the dashboard. A route that is not here does not exist.
import { accountPages } from '../page/account.ts';
import { appPages } from '../page/apps.ts';
import { assetPages, type Assets } from '../page/assets.ts';
import { releasePages } from '../page/releases.ts';
import { buildRoutes } from './builds.ts';
import { collectionRoutes } from './collections.ts';
import { installationRoutes } from './installations.ts';
import { instanceRoutes } from './instances.ts';
import type { ApiParts } from './parts.ts';
import { projectRoutes } from './projects.ts';
import { releaseRoutes } from './releases.ts';
import type { Route } from './route.ts';
import { spaceRoutes } from './spaces.ts';

export function apiRoutes(parts: ApiParts, assets: Assets): Route[] {
  return [
    ...spaceRoutes(parts), ...projectRoutes(parts), ...buildRoutes(parts), ...releaseRoutes(parts),
    ...installationRoutes(parts), ...instanceRoutes(parts), ...collectionRoutes(parts),
    ...accountPages(parts), ...appPages(parts), ...releasePages(parts), ...assetPages(assets),
  ];
}
