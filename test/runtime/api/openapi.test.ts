// Owns the proof that the description of the HTTP API is valid OpenAPI, has every route, and names no shape that is not there.
import { Validator } from '@seriousme/openapi-schema-validator';
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { renderSchemas } from '../../../docs/generate-schemas.ts';
import { DESCRIPTIONS } from '../../../runtime/api/descriptions.ts';
import type { ApiParts } from '../../../runtime/api/parts.ts';
import type { Route, RouteRequest } from '../../../runtime/api/route.ts';
import { apiRoutes } from '../../../runtime/routes.ts';

interface Operation { summary: string; parameters?: { name: string; in: string }[]; operationId: string; security?: object[] }
interface Document { openapi: string; paths: Record<string, Record<string, Operation>>; components: { schemas: Record<string, object> } }

const ROUTES = apiRoutes({ version: '1.2.3' } as ApiParts, new Map());
const OWN = ROUTES.find(({ path }) => path === '/api/v0/openapi.json') as Route;

async function describeApi(): Promise<Document> {
  const reply = await OWN.handle({ origin: 'http://localhost:4400' } as RouteRequest, undefined as never);
  return JSON.parse(JSON.stringify(reply.json)) as Document;
}

test('it is valid OpenAPI 3.1', async () => {
  const document = await describeApi();
  const verdict = await new Validator().validate({ ...document });
  expect(verdict.errors ?? []).toEqual([]);
  expect([verdict.valid, document.openapi]).toEqual([true, '3.1.0']);
});

test('the validator finds what is wrong', async () => {
  const document = await describeApi();
  (document.paths['/api/v0/space'] as Record<string, unknown>)['get'] = { responses: 'none' };
  expect((await new Validator().validate({ ...document })).valid).toBe(false);
});

test('every route of the table is in it, and nothing else', async () => {
  const { paths } = await describeApi();
  const described = Object.entries(paths).flatMap(([path, operations]) => Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`));
  const mounted = ROUTES.filter(({ kind }) => kind === 'api').map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`);
  expect(described.toSorted()).toEqual(mounted.toSorted());
  expect(mounted.length).toBeGreaterThan(80);
  const operations = Object.values(paths).flatMap((path) => Object.values(path));
  expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
});

test('who may call a route without signing in is said', async () => {
  const { paths } = await describeApi();
  for (const { path, method, access } of ROUTES.filter(({ kind }) => kind === 'api')) {
    const operation = paths[path.replaceAll(/:(\w+)/g, '{$1}')]?.[method.toLowerCase()];
    expect(operation?.security, `${method} ${path}`).toEqual(access === 'public' ? [] : undefined);
  }
});

test('every route is described, no description is left over, and every shape is there', async () => {
  const mounted = new Set(ROUTES.filter(({ kind }) => kind === 'api').map(({ method, path }) => `${method} ${path}`));
  expect(Object.keys(DESCRIPTIONS).filter((address) => !mounted.has(address)), 'runtime/api/descriptions.ts has routes that are gone').toEqual([]);
  expect([...mounted].filter((address) => DESCRIPTIONS[address] === undefined), 'runtime/api/descriptions.ts lacks routes').toEqual([]);
  const document = await describeApi();
  const names = [...JSON.stringify(document).matchAll(/#\/components\/schemas\/(\w+)/g)].map(([, name = '']) => name);
  expect(names.filter((name) => document.components.schemas[name] === undefined)).toEqual([]);
});

test('runtime/api/wire-schemas.json is up to date: else run `npm run docs`', async () => {
  expect(await readFile(new URL('../../../runtime/api/wire-schemas.json', import.meta.url), 'utf8')).toBe(await renderSchemas());
});
