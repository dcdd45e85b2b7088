// Owns what the attacks on Base and Drive share: a host, Collections of two people, and requests whose paths arrive as written.
import { request as httpRequest } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { startTestHost, type Person, type StartOptions, type TestHost } from '../support/start-host.ts';
import type { TestResponse } from '../support/http.ts';

export interface DataRequest {
  method?: string;
  headers?: Record<string, string>;
  /** An object is sent as JSON. */
  body?: string | Buffer | object;
}

export interface DataDoor {
  id: string;
  key: string;
  /** @param path below `/base/v1/<id>/`, sent as it is */
  base(path: string, request?: DataRequest): Promise<TestResponse>;
  /** @param path below `/drive/v1/<id>/`, sent as it is */
  drive(path: string, request?: DataRequest): Promise<TestResponse>;
}

export interface AttackedHost extends TestHost {
  /** A Collection of the owner, one of the same person, and one of somebody else. */
  own: DataDoor;
  sibling: DataDoor;
  theirs: DataDoor;
}

export async function startAttackedHost(options?: StartOptions): Promise<AttackedHost> {
  const space = await startTestHost(options);
  const door = (person: Person, name: string): Promise<DataDoor> => openDoor(space, person, name);
  return { ...space, own: await door(space.owner, 'own'), sibling: await door(space.owner, 'sibling'), theirs: await door(space.member, 'theirs') };
}

export async function openDoor(space: TestHost, person: Person, name: string): Promise<DataDoor> {
  const { id } = (await person.call('POST /collections', { name })).json();
  const { value: key } = (await person.call(`POST /collections/${id}/keys`, { name })).json();
  const to = (service: string) => (path: string, { headers, ...request }: DataRequest = {}): Promise<TestResponse> =>
    sendAsIs(space, `/${service}/v1/${id}/${path}`, { ...request, headers: { 'x-api-key': key, ...headers } });
  return { id, key, base: to('base'), drive: to('drive') };
}

/** One request; no URL parser resolves `..` in its path. */
export function sendAsIs({ port, authority }: Pick<TestHost, 'port' | 'authority'>, path: string, { method = 'GET', headers = {}, body }: DataRequest): Promise<TestResponse> {
  const payload = body === undefined || typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  const all = { host: authority, ...(payload === undefined ? {} : { 'content-length': String(Buffer.byteLength(payload)) }), ...headers };
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ host: '127.0.0.1', port, method, path, headers: all, agent: false }, (answer) => {
      buffer(answer).then((bytes) => resolve({
        status: answer.statusCode ?? 0, headers: answer.headers, cookies: answer.headers['set-cookie'] ?? [], bytes, text: bytes.toString(), json: () => JSON.parse(bytes.toString()),
      }), reject);
    });
    sent.on('error', reject).end(payload);
  });
}
