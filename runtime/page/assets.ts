// Owns serving the dashboard's few files. The same ones stand on Instances' hosts below `/__space/assets/`, for the
// pages that the platform shows there.
import { readdir, readFile } from 'node:fs/promises';
import mime from 'mime';
import { SpaceError } from '../../core/errors.ts';
import { page, type Route } from '../api/route.ts';

export interface Asset { content: Buffer; contentType: string }
export type Assets = ReadonlyMap<string, Asset>;

const FOLDER = new URL('../../dashboard/assets/', import.meta.url);
export const ASSET_CACHE = 'public, max-age=300';

export async function loadAssets(): Promise<Assets> {
  const names = (await readdir(FOLDER)).filter((name) => mime.getType(name) !== null);
  const entries = names.map(async (name) => [name, { content: await readFile(new URL(name, FOLDER)), contentType: typeOf(name) }] as const);
  return new Map(await Promise.all(entries));
}

function typeOf(name: string): string {
  const type = mime.getType(name) ?? 'application/octet-stream';
  return type.startsWith('text/') ? `${type}; charset=utf-8` : type;
}

export function assetPages(assets: Assets): Route[] {
  return [page('GET /assets/:name', {
    access: 'public',
    async handle({ params }) {
      const asset = assets.get(params['name'] ?? '');
      if (!asset) throw new SpaceError('NOT_FOUND', { what: 'This file' });
      return { bytes: { ...asset, cacheControl: ASSET_CACHE } };
    },
  })];
}
