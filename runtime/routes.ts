// Owns the one table of all routes of the control plane and the dashboard. A route that is not here does not exist.
import { accountPages } from './page/account.ts';
import { appPages } from './page/apps.ts';
import type { Assets } from './http/assets.ts';
import { assetPages } from './page/assets.ts';
import { collectionPages } from './page/collections.ts';
import { instancePages } from './page/instance/tabs.ts';
import { trashPages } from './page/trash.ts';
import { releasePages } from './page/releases.ts';
import { actionRoutes } from './api/actions.ts';
import { archiveRoutes } from './api/archives.ts';
import { buildRoutes } from './api/builds.ts';
import { collectionRoutes } from './api/collections.ts';
import { domainRoutes } from './api/domains.ts';
import { installationRoutes } from './api/installations.ts';
import { instanceRoutes } from './api/instances.ts';
import type { ApiParts } from './api/parts.ts';
import { openApiRoute } from './api/openapi.ts';
import { projectRoutes } from './api/projects.ts';
import { trashRoutes } from './api/trash.ts';
import { versionRoutes } from './api/versions.ts';
import { quotaRoutes } from './api/quotas.ts';
import { releaseRoutes } from './api/releases.ts';
import type { Route } from './api/route.ts';
import { scheduleRoutes } from './api/schedules.ts';
import { createShelf } from './api/shelf.ts';
import { settingsRoutes } from './api/settings.ts';
import { snapshotRoutes } from './api/snapshots.ts';
import { hostPages } from './page/host.ts';
import { spaceRoutes } from './api/spaces.ts';

export function apiRoutes(parts: ApiParts, assets: Assets): Route[] {
  const shelf = createShelf(parts);
  const routes: Route[] = [
    ...spaceRoutes(parts), ...projectRoutes(parts), ...buildRoutes(parts), ...releaseRoutes(parts, shelf),
    ...installationRoutes(parts), ...instanceRoutes(parts), ...collectionRoutes(parts),
    ...versionRoutes(parts), ...trashRoutes(parts), ...snapshotRoutes(parts), ...archiveRoutes(parts), ...quotaRoutes(parts), ...settingsRoutes(parts),
    ...scheduleRoutes(parts), ...actionRoutes(parts), ...domainRoutes(parts),
    ...accountPages(parts), ...hostPages(parts), ...appPages(parts), ...instancePages(parts), ...releasePages(parts, shelf), ...collectionPages(parts), ...trashPages(parts), ...assetPages(assets),
    openApiRoute(() => parts.version, () => routes),
  ];
  return routes;
}
