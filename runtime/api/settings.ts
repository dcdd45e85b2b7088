// Owns the endpoints of what owners set beside code: limits and reach of an Instance, its paused Micros, who shares a process;
// and what the owner of the host is told of this machine.
import type { WireEgress, WireHost, WireLimits } from '../../core/wire.ts';
import { SpaceError } from '../../core/errors.ts';
import { LIMIT_NAMES, LIMITS } from '../engine/cell/limits.ts';
import type { InstanceSettings } from '../instance/settings.ts';
import { oneOf } from './field.ts';
import type { ApiParts } from './parts.ts';
import { api, type Route } from './route.ts';

export function settingsRoutes(parts: ApiParts): Route[] {
  const { settings, machine, instances } = parts;

  return [
    api('GET /api/v0/instances/:id/limits', { access: 'person', object: 'instance', handle: async (_, { id }) => ({ json: wireLimits(parts, await settings.of(id)) }) }),
    api('PATCH /api/v0/instances/:instance/limits', {
      access: 'host-owner',
      async handle(request) {
        const instance = await instances.get(request.params['instance'] ?? '');
        if (!instance) throw new SpaceError('INSTANCE_NOT_FOUND');
        const after = await settings.setLimits(instance.id, await request.json());
        machine.settingsChanged(instance.id);
        return { json: wireLimits(parts, after) };
      },
    }),
    api('GET /api/v0/instances/:id/egress', { access: 'person', object: 'instance', handle: async (_, { id }) => ({ json: await wireEgress(parts, id) }) }),
    api('PATCH /api/v0/instances/:id/egress', {
      access: 'person', object: 'instance',
      async handle(request, { id }) {
        await settings.setReach(id, await request.json());
        machine.settingsChanged(id);
        return { json: await wireEgress(parts, id) };
      },
    }),
    api('POST /api/v0/instances/:id/resume', {
      access: 'person', object: 'instance',
      async handle(_, { id }) {
        await machine.resume(id);
        return { json: { id, paused: [] } };
      },
    }),
    api('PATCH /api/v0/spaces/:space/cordon', {
      access: 'host-owner',
      async handle(request) {
        const { cordon } = await request.json();
        return { json: await changeCordon(parts, request.params['space'] ?? '', cordon) };
      },
    }),
    api('GET /api/v0/host', { access: 'host-owner', handle: async () => ({ json: await wireHost(parts) }) }),
  ];
}

/** @throws NOT_FOUND, INVALID_FIELD */
export async function changeCordon({ spaces, settings, machine }: ApiParts, spaceId: string, wanted: unknown): Promise<{ id: string; cordon: string }> {
  const space = await spaces.get(spaceId);
  if (!space) throw new SpaceError('NOT_FOUND', { what: 'This Space' });
  const cordon = oneOf(wanted, ['instance', 'space'] as const, 'cordon');
  await settings.setCordon(space.id, cordon);
  await machine.cordonChanged(space.id);
  return { id: space.id, cordon };
}

function wireLimits({ machine }: ApiParts, { limits }: InstanceSettings): WireLimits {
  const names = LIMIT_NAMES.filter((name) => LIMITS[name].of === 'instance');
  return { limits: Object.fromEntries(names.map((name) => [name, limits[name] ?? machine.limits[name]])), set: limits };
}

async function wireEgress({ settings, machine }: ApiParts, instanceId: string): Promise<WireEgress> {
  const { reach } = await settings.of(instanceId);
  const { open, inMinute, total, refused } = machine.calls(instanceId);
  return { ...reach, calls: { open, in_minute: inMinute, total, refused } };
}

async function wireHost({ machine, version }: ApiParts): Promise<WireHost> {
  const [{ level, findings }, cells, boxes, programs] = await Promise.all([machine.sandbox(), machine.cells(), machine.boxes(), machine.programs()]);
  return {
    version, sandbox: { level, findings }, boxes: { level: boxes.level, findings: boxes.findings },
    cells: { running: cells.running, ready: cells.ready, used_mb: cells.usedMb, limit_mb: cells.limitMb },
    programs: { running: programs.running, frozen: programs.frozen, used_mb: programs.usedMb, limit_mb: programs.limitMb },
  };
}
