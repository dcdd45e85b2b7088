// Owns the dashboard's address of its style sheet and pictures.
import { page, type Route } from '../api/route.ts';
import { ASSET_CACHE, assetNamed, type Assets } from '../http/assets.ts';

export function assetPages(assets: Assets): Route[] {
  return [page('GET /assets/:name', {
    access: 'public', handle: async ({ params }) => ({ bytes: { ...assetNamed(assets, params['name'] ?? ''), cacheControl: ASSET_CACHE } }),
  })];
}
