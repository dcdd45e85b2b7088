// Owns plain HTTP for tests: every name of the host under test leads to loopback, so no resolver is needed.
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { buffer } from 'node:stream/consumers';

export interface TestResponse {
  status: number;
  headers: IncomingHttpHeaders;
  /** Set-Cookie values, one each. */
  cookies: string[];
  bytes: Buffer;
  text: string;
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- a test says what it expects
  json<T = any>(): T;
}

export interface TestRequest {
  method?: string;
  headers?: Record<string, string | string[]>;
  /** An object is sent as JSON, text and bytes as they are. */
  body?: string | Buffer | object;
}

/** One request, no redirect followed. */
export function send(url: string, { method = 'GET', headers = {}, body }: TestRequest = {}): Promise<TestResponse> {
  const target = new URL(url);
  const isRaw = body === undefined || typeof body === 'string' || Buffer.isBuffer(body);
  const payload = isRaw ? (body as string | Buffer | undefined) : JSON.stringify(body);
  const all = { host: target.host, ...(isRaw ? {} : { 'content-type': 'application/json' }), ...(payload === undefined ? {} : { 'content-length': Buffer.byteLength(payload) }), ...headers };
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({ host: '127.0.0.1', port: target.port, method, path: target.pathname + target.search, headers: all, agent: false }, (incoming) => {
      buffer(incoming).then((bytes) => resolve({
        status: incoming.statusCode ?? 0, headers: incoming.headers, cookies: incoming.headers['set-cookie'] ?? [], bytes, text: bytes.toString(),
        json: () => JSON.parse(bytes.toString()),
      }), reject);
    });
    outgoing.on('error', reject);
    outgoing.end(payload);
  });
}

export type Visited = TestResponse & { url: string };

/** A browser without pages: cookies for each host, redirects followed. */
export class Visitor {
  /** By host name and port; Instances of one host never see each other's. */
  readonly jar = new Map<string, Map<string, string>>();

  /** Go there as a person does who types the address. @returns the last answer, and where it came from */
  async visit(url: string, options: TestRequest = {}): Promise<Visited> {
    let at = url;
    let request: TestRequest & { headers: Record<string, string | string[]> } = { ...options, headers: { 'sec-fetch-site': 'none', 'sec-fetch-user': '?1', ...options.headers } };
    for (let hops = 0; hops < 10; hops += 1) {
      const response = await this.#navigate(at, request);
      const { location } = response.headers;
      if (response.status < 300 || response.status > 399 || location === undefined) return { ...response, url: at };
      const next = new URL(location, at);
      // What began on one host and was sent to another no longer comes from "here".
      const site = next.host === new URL(at).host ? request.headers['sec-fetch-site'] : request.headers['sec-fetch-site'] === 'none' ? 'none' : 'cross-site';
      request = { headers: { 'sec-fetch-site': site as string } };
      at = next.href;
    }
    throw new Error(`too many redirects from ${url}`);
  }

  /** Submit a form of our own page. */
  submit(url: string, fields: Record<string, string>): Promise<Visited> {
    return this.visit(url, {
      method: 'POST', body: new URLSearchParams(fields).toString(),
      headers: { 'content-type': 'application/x-www-form-urlencoded', origin: new URL(url).origin, 'sec-fetch-site': 'same-origin' },
    });
  }

  /** What a script of a page of this host sends: with its cookies, no redirect followed. */
  fetch(url: string, request: TestRequest = {}): Promise<TestResponse> {
    const method = request.method ?? 'GET';
    const origin: Record<string, string> = method === 'GET' || method === 'HEAD' ? {} : { origin: new URL(url).origin };
    return this.#once(url, { ...request, headers: { accept: '*/*', 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty', ...origin, ...request.headers } });
  }

  /** The Cookie header for this host. */
  cookiesFor(url: string): string {
    return [...(this.jar.get(new URL(url).host) ?? [])].map(([name, value]) => `${name}=${value}`).join('; ');
  }

  #navigate(url: string, request: TestRequest): Promise<TestResponse> {
    return this.#once(url, { ...request, headers: { accept: 'text/html', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', ...request.headers } });
  }

  async #once(url: string, request: TestRequest): Promise<TestResponse> {
    const { host } = new URL(url);
    const cookies = this.jar.get(host) ?? new Map<string, string>();
    this.jar.set(host, cookies);
    const cookie = this.cookiesFor(url);
    const response = await send(url, { ...request, headers: { ...(cookie === '' ? {} : { cookie }), ...request.headers } });
    for (const line of response.cookies) {
      const [pair = ''] = line.split(';');
      const end = pair.indexOf('=');
      if (/max-age=0/i.test(line)) cookies.delete(pair.slice(0, end));
      else cookies.set(pair.slice(0, end), pair.slice(end + 1));
    }
    return response;
  }
}
