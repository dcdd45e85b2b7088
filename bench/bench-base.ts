// Owns a Base under measurement: a Collection of its own, and the key to it.
import type { Product } from './product.ts';

/** `url`: of the Base. `collectionId`: of its Collection. */
export interface BenchBase { collectionId: string; url: string; headers: Record<string, string> }

export async function createBase(product: Product, name: string): Promise<BenchBase> {
  const { id } = await product.call<{ id: string }>('POST', '/collections', { name });
  const { value } = await product.call<{ value: string }>('POST', `/collections/${id}/keys`, { name: 'bench' });
  return { collectionId: id, url: `http://127.0.0.1:${product.port}/base/v1/${id}/things`, headers: { host: `localhost:${product.port}`, 'x-api-key': value, 'content-type': 'application/json' } };
}
