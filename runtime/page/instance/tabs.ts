// Owns the list of an Instance's tabs: `/apps/<id>` and `/apps/<id>/<tab>`.
import type { ApiParts } from '../../api/parts.ts';
import type { Route } from '../../api/route.ts';
import { actionPages } from './actions.ts';
import { dataPages } from './data.ts';
import { logPages } from './logs.ts';
import { overviewPages } from './overview.ts';
import { schedulePages } from './schedules.ts';
import { settingsPages } from './settings.ts';
import { versionPages } from './versions.ts';

export function instancePages(parts: ApiParts): Route[] {
  return [...overviewPages(parts), ...versionPages(parts), ...actionPages(parts), ...schedulePages(parts), ...settingsPages(parts), ...dataPages(parts), ...logPages(parts)];
}
