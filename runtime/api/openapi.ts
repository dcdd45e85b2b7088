// Owns the description of the HTTP API as OpenAPI 3.1, made from the table of routes: a route that is mounted is in it.
import { DESCRIPTIONS, type Description, type Shape } from './descriptions.ts';
import { api, type Access, type Route } from './route.ts';
import schemas from './wire-schemas.json' with { type: 'json' };

type Json = Record<string, unknown>;

export function openApiRoute(version: () => string, routes: () => readonly Route[]): Route {
  return api('GET /api/v0/openapi.json', {
    access: 'public',
    handle: async ({ origin }) => ({ json: describeApi(routes(), { version: version(), origin }) }),
  });
}

function describeApi(routes: readonly Route[], { version, origin }: { version: string; origin: string }): Json {
  const paths: Record<string, Json> = {};
  for (const route of routes.filter(({ kind }) => kind === 'api')) {
    const path = route.path.replaceAll(/:(\w+)/g, '{$1}');
    (paths[path] ??= {})[route.method.toLowerCase()] = operation(route);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Ownspace', version, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      description: 'The control plane: people, projects, releases, Instances, Collections. Base and Drive have an API of their own, Deta\'s; see docs/data.md.',
    },
    servers: [{ url: origin }],
    security: [{ accessToken: [] }, { session: [] }],
    tags: [...new Set(Object.keys(paths).map(tagOf))].map((name) => ({ name })),
    paths,
    components: {
      schemas,
      responses: { error: { description: 'What is wrong; docs/errors.md has every code', content: json({ $ref: '#/components/schemas/WireError' }) } },
      securitySchemes: {
        accessToken: { type: 'http', scheme: 'bearer', description: 'An access token' },
        session: { type: 'apiKey', in: 'cookie', name: 'space_session', description: 'The session of a browser; requests that change something need the dashboard\'s Origin' },
      },
    },
  };
}

/** The first word behind the version. */
function tagOf(path: string): string {
  return path.split('/')[3] ?? '';
}

function operation(route: Route): Json {
  const { summary = `${route.method} ${route.path}`, query = {}, body, answer, status = 200 }: Partial<Description> = DESCRIPTIONS[`${route.method} ${route.path}`] ?? { answer: 'any' };
  const inPath = [...route.path.matchAll(/:(\w+)/g)].map(([, name = '']) => ({ name, in: 'path', required: true, schema: { type: 'string' } }));
  const inQuery = Object.entries(query).map(([name, description]) => ({ name, in: 'query', description, schema: { type: 'string' } }));
  return {
    operationId: `${route.method.toLowerCase()}${route.path.replace('/api/v0', '').replaceAll(/\W+(\w)/g, (_, letter: string) => letter.toUpperCase())}`,
    summary, tags: [tagOf(route.path)], ...accessOf(route.access),
    ...(inPath.length + inQuery.length > 0 && { parameters: [...inPath, ...inQuery] }),
    ...(body !== undefined && { requestBody: { required: true, content: contentOf(body) } }),
    responses: {
      [status]: { description: 'Done', ...(answer !== undefined && { content: contentOf(answer) }) },
      default: { $ref: '#/components/responses/error' },
    },
  };
}

function accessOf(access: Access): Json {
  if (access === 'public') return { security: [], description: 'Anybody may call this.' };
  return access === 'host-owner' ? { description: 'For the owner of the host.' } : {};
}

function contentOf(shape: NonNullable<Description['body'] | Description['answer']>): Json {
  if (typeof shape === 'string' || !('media' in shape)) return json(schemaOf(shape));
  const { media, lines } = shape as { media: string; lines?: Shape };
  return { [media]: lines === undefined ? {} : { schema: { type: 'string', description: 'One JSON document on each line.' }, 'x-line': schemaOf(lines) } };
}

function json(schema: Json): Json {
  return { 'application/json': { schema } };
}

function schemaOf(shape: Shape): Json {
  if (typeof shape === 'object') {
    const fields = Object.entries(shape);
    const required = fields.map(([name]) => name).filter((name) => !name.endsWith('?'));
    const properties = Object.fromEntries(fields.map(([name, value]) => [name.replace(/\?$/, ''), schemaOf(value)]));
    return { type: 'object', properties, ...(required.length > 0 && { required }) };
  }
  if (shape === 'any') return {};
  if (shape.endsWith('[]')) return { type: 'array', items: schemaOf(shape.slice(0, -2)) };
  return shape.startsWith('Wire') ? { $ref: `#/components/schemas/${shape}` } : { type: shape };
}
