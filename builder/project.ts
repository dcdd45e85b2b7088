// Owns Projects: the identity of a developer's source, and the alias that its addresses are made of.
// Knows no Build and no Instance.
import { isSpaceError, SpaceError } from '../core/errors.ts';
import { newId } from '../core/ids.ts';
import type { Store } from '../sandbox-data/store/store.ts';
import { createTable } from '../sandbox-data/store/table.ts';

export interface Project {
  id: string;
  spaceId: string;
  /** 4 to 16 characters, as its developer wrote them. */
  name: string;
  /** Lower-case letters, digits and single hyphens; unique on the host, since host names are made of it. */
  alias: string;
  createdAt: string;
}

export interface Projects {
  /** @throws PROJECT_NAME_INVALID, COUNT_LIMIT */
  create(spec: { spaceId: string; name: string }): Promise<Project>;
  /** @throws PROJECT_NOT_FOUND when there is none, or it is not of `spaceId` */
  get(id: string, spaceId?: string): Promise<Project>;
  byAlias(alias: string): Promise<Project | undefined>;
  /** Oldest first. */
  listBySpace(spaceId: string): Promise<Project[]>;
  delete(id: string): Promise<void>;
}

/** Of one Space. */
export const PROJECTS_MAX = 200;
const NAME_MIN_CHARACTERS = 4;
const NAME_MAX_CHARACTERS = 16;
const CONTROL_CHARACTERS = /\p{C}/u;

/** @param nextInstant gives each record an instant of its own, so that lists keep their order */
export function createProjects(store: Store, nextInstant: () => string): Projects {
  const table = createTable<Project>(store, 'project', {
    alias: { of: (project) => project.alias, unique: true },
    space: { of: (project) => project.spaceId, order: (project) => project.createdAt },
  });

  async function freeAlias(name: string): Promise<string> {
    const slug = aliasOf(name);
    for (let count = 0; ; count += 1) {
      const alias = count === 0 ? slug : `${slug}-${count}`;
      if (!(await table.find('alias', alias))) return alias;
    }
  }

  return {
    async create({ spaceId, name }) {
      const checked = checkedName(name);
      const known = await table.list({ by: { index: 'space', value: spaceId }, limit: PROJECTS_MAX });
      if (known.length >= PROJECTS_MAX) throw new SpaceError('COUNT_LIMIT', { limit: PROJECTS_MAX, what: 'projects', remedy: 'Delete one that you no longer need: DELETE /api/v0/apps/ID.' });
      for (;;) {
        const alias = await freeAlias(checked);
        const project = { id: newId('project'), spaceId, name: checked, alias, createdAt: nextInstant() };
        if (await tookPlace(() => table.insert(project))) return project;
      }
    },
    async get(id, spaceId) {
      const project = await table.get(id);
      if (!project || (spaceId !== undefined && project.spaceId !== spaceId)) throw new SpaceError('PROJECT_NOT_FOUND');
      return project;
    },
    byAlias: (alias) => table.find('alias', alias),
    listBySpace: (spaceId) => table.list({ by: { index: 'space', value: spaceId } }),
    async delete(id) {
      await table.delete(id);
    },
  };
}

/** False when somebody else took the same unique value first. */
export async function tookPlace(write: () => Promise<void>): Promise<boolean> {
  try {
    await write();
    return true;
  } catch (error) {
    if (isSpaceError(error, 'STORE_CONDITION_FAILED')) return false;
    throw error;
  }
}

function checkedName(name: string): string {
  const trimmed = name.trim();
  const length = [...trimmed].length;
  if (length < NAME_MIN_CHARACTERS || length > NAME_MAX_CHARACTERS || CONTROL_CHARACTERS.test(trimmed)) {
    throw new SpaceError('PROJECT_NAME_INVALID');
  }
  return trimmed;
}

/** The name as part of a host name; what has no such letters becomes `project`. */
function aliasOf(name: string): string {
  const slug = name.normalize('NFKD').toLowerCase().replace(/\p{M}/gu, '').replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '');
  return slug || 'project';
}
