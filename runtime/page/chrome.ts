// Owns what every page shows besides its subject. Knows no page.
import type { Chrome } from '../../dashboard/layout.ts';
import type { Space } from '../auth/space.ts';

export interface PageParts { warning: string | undefined }

/** @param person undefined for a stranger */
export function chrome({ warning }: PageParts, person: Space | undefined): Chrome {
  return { warning, ...(person ? { person: { name: person.username, isOwner: person.role === 'owner' } } : {}) };
}

/** For pages that only a signed-in person gets. */
export function ownChrome(parts: PageParts, person: Space): Chrome & { person: { name: string; isOwner: boolean } } {
  return { warning: parts.warning, person: { name: person.username, isOwner: person.role === 'owner' } };
}
