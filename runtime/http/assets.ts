// Owns the dashboard's few files in memory. They stand at `/assets/` on the dashboard's host, and at `/__space/assets/`
// on every other, for the pages that the platform shows there.
import type { ServerResponse } from 'node:http';
import { readdir, readFile } from 'node:fs/promises';
import mime from 'mime';
import { SpaceError } from '../../core/errors.ts';

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

/** @throws NOT_FOUND */
export function assetNamed(assets: Assets, name: string): Asset {
  const asset = assets.get(name);
  if (!asset) throw new SpaceError('NOT_FOUND', { what: 'This file' });
  return asset;
}

export function sendAsset(response: ServerResponse, { content, contentType }: Asset): void {
  response.writeHead(200, { 'content-type': contentType, 'content-length': content.length, 'cache-control': ASSET_CACHE, 'x-content-type-options': 'nosniff' });
  response.end(content);
}
