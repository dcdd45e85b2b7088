// Owns the endpoints of custom domains: claiming one, proving it, removing it.
import type { WireDomain } from '../../core/wire.ts';
import { shownDomain } from '../instance/domain-name.ts';
import type { CustomDomain } from '../instance/domains.ts';
import { requiredText } from './field.ts';
import type { ApiParts } from './parts.ts';
import { api, type Route } from './route.ts';

export function domainRoutes({ domains }: ApiParts): Route[] {
  return [
    api('GET /api/v0/instances/:id/domains', {
      access: 'person', object: 'instance', handle: async (_, instance) => ({ json: { domains: (await domains.list(instance)).map(wireDomain) } }),
    }),
    api('POST /api/v0/instances/:id/domains', {
      access: 'person', object: 'instance',
      handle: async (request, instance) => ({ status: 201, json: wireDomain(await domains.claim(instance, requiredText(await request.json(), 'domain'))) }),
    }),
    api('POST /api/v0/instances/:id/domains/:domain/verify', {
      access: 'person', object: 'instance',
      handle: async ({ params }, instance) => ({ json: wireDomain(await domains.verify(instance, (params['domain'] ?? '').toLowerCase())) }),
    }),
    api('DELETE /api/v0/instances/:id/domains/:domain', {
      access: 'person', object: 'instance',
      async handle({ params }, instance) {
        const domain = (params['domain'] ?? '').toLowerCase();
        await domains.remove(instance, domain);
        return { json: { domain } };
      },
    }),
  ];
}

export function wireDomain({ domain, proof, createdAt, verifiedAt, problem }: CustomDomain): WireDomain {
  return { domain, shown: shownDomain(domain), status: verifiedAt === null ? 'pending' : 'active', txt: proof, created_at: createdAt, verified_at: verifiedAt, problem };
}
