// Owns calls by URL that leave a Micro: to Instances of this host they stay inside, with their keys and hops; to the
// platform's own names they do not go; everything else passes the egress rules.
import { SpaceError } from '../../core/errors.ts';
import type { Egress } from '../../sandbox/egress.ts';
import type { MicroRequest, MicroResponse } from '../engine/engine.ts';
import type { Addresses } from '../http/address.ts';
import type { Dispatch } from './dispatch.ts';
import type { LiveInstance, LiveInstances } from './live.ts';

export interface OutsideParts { dispatch: Dispatch; live: LiveInstances; addresses: Addresses; egress: Egress }

export async function fetchOutside({ dispatch, live, addresses, egress }: OutsideParts, from: LiveInstance, request: MicroRequest): Promise<MicroResponse> {
  const url = URL.parse(request.url);
  if (!url) throw new SpaceError('EGRESS_BLOCKED', { target: 'this address', reason: 'it is not a URL' });
  const label = addresses.labelOf(url);
  if (label === undefined) return egress.fetch(request, { instanceId: from.record.id });
  const target = label === from.record.label ? from : await live.byLabel(label);
  if (!target) throw new SpaceError('EGRESS_BLOCKED', { target: url.hostname, reason: 'no app lives there' });
  return dispatch.fetchByUrl(target, request);
}
