// Owns what every tab of an Instance's page is told of it.
import { orMissing } from '../../../core/errors.ts';
import type { InstanceFrame } from '../../../dashboard/pages/instance/frame.ts';
import type { Revision } from '../../../builder/revision.ts';
import type { ApiParts } from '../../api/parts.ts';
import type { PersonalRequest } from '../../api/route.ts';
import type { Instance } from '../../instance/instance.ts';
import { ownChrome } from '../chrome.ts';

export async function frameOf(parts: ApiParts, { person, origin }: PersonalRequest, instance: Instance): Promise<InstanceFrame> {
  const revision = await revisionOf(parts, instance);
  return {
    ...ownChrome(parts, person),
    instance: {
      ...(await appOf(parts, instance)), url: parts.addresses.instanceUrl(instance.label, origin), state: pageState(instance),
      builder: instance.kind === 'builder', version: instance.version,
      hasSchedules: (revision?.micros ?? []).some(({ actions }) => actions.length > 0),
      hasActions: (revision?.micros ?? []).some(({ provideActions }) => provideActions),
    },
  };
}

/** What every page shows of an app: its name and its own picture, where it has one. */
export async function appOf({ builder }: ApiParts, { id, appName, releaseId }: Instance): Promise<{ id: string; name: string; iconUrl?: string }> {
  const release = await orMissing(builder.releases.get(releaseId));
  return { id, name: appName, ...(release?.icon && { iconUrl: `/icons/${release.id}` }) };
}

/** What it runs; undefined before its first Installation is done. */
export async function revisionOf({ builder }: ApiParts, { revisionId }: Instance): Promise<Revision | undefined> {
  return revisionId === null ? undefined : orMissing(builder.revisions.get(revisionId));
}

export function pageState({ state }: Instance): InstanceFrame['instance']['state'] {
  return state === 'removing' ? 'paused' : state;
}
