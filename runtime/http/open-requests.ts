// Owns how many requests one person may have open at the control plane at once: each holds a connection, and some (a log
// that is followed, a large upload) hold it for long. Knows no route.
import type { ServerResponse } from 'node:http';
import { SpaceError } from '../../core/errors.ts';

/** Fifty pushes at once, and room for a dashboard. */
export const OPEN_REQUESTS_MAX = 256;

/** Counts `response` for this person until it has ended. @throws TOO_MANY_OPEN */
export type CountOpen = (personId: string, response: ServerResponse) => void;

export function createOpenRequests(max = OPEN_REQUESTS_MAX): CountOpen {
  const open = new Map<string, number>();
  return (personId, response) => {
    const count = (open.get(personId) ?? 0) + 1;
    if (count > max) throw new SpaceError('TOO_MANY_OPEN', { limit: max });
    open.set(personId, count);
    response.once('close', () => {
      const left = (open.get(personId) ?? 1) - 1;
      if (left === 0) open.delete(personId);
      else open.set(personId, left);
    });
  };
}
