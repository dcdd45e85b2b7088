// Owns the proof that the pages of docs/ name no address of the control plane that is not there.
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { ApiParts } from '../../../runtime/api/parts.ts';
import { apiRoutes } from '../../../runtime/routes.ts';

const DOCS = new URL('../../../docs/', import.meta.url);
/** A parameter by any name, as pages and routes write them. */
const plain = (address: string): string => address.replaceAll(/:[a-z]+|\b[A-Z]{2,}\b(?! )|<[^>]+>|\{[^}]+\}/g, '*');
const routes = new Set(apiRoutes({} as ApiParts, new Map()).map(({ method, path }) => `${method} ${plain(path)}`));

function addressesIn(text: string): string[] {
  return [...text.matchAll(/`((?:GET|POST|PATCH|PUT|DELETE) \/api\/v0\/[^`\s?]*)/g)].map(([, address = '']) => address);
}

function unknownIn(text: string): string[] {
  return addressesIn(text).filter((address) => {
    const [method = '', path = ''] = address.split(' ');
    return !routes.has(`${method} ${plain(path)}`);
  });
}

test.each(readdirSync(DOCS).filter((name) => name.endsWith('.md')))('%s', (name) => {
  expect(unknownIn(readFileSync(new URL(name, DOCS), 'utf8'))).toEqual([]);
});

test('there are many of them, and one that is not there is noticed', () => {
  const all = readdirSync(DOCS).filter((name) => name.endsWith('.md')).flatMap((name) => addressesIn(readFileSync(new URL(name, DOCS), 'utf8')));
  expect(all.length).toBeGreaterThan(40);
  expect(unknownIn('`GET /api/v0/instances/ID/keys?x=` and `POST /api/v0/nothing/ID` and `PUT /api/v0/instances/ID`')).toEqual(['POST /api/v0/nothing/ID', 'PUT /api/v0/instances/ID']);
});
