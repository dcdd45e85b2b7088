// Owns single requests, as a browser with cookies would make them, to names that need no resolving. Knows no peers.
import { request } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';

export interface Target {
  /** With an address instead of a name; the name goes into `headers.host`. */
  url: string;
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH';
  headers?: Record<string, string>;
  body?: string;
}

export interface Answer { status: number; headers: IncomingHttpHeaders; body: string }

export function ask({ url, method = 'GET', headers, body }: Target): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => { text += chunk; });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
      response.on('error', reject);
    });
    sent.on('error', reject).end(body);
  });
}

/** The address of this machine in the place of the URL's name, and the name as a header. */
export function loopback(url: string): { url: string; host: string } {
  const parsed = new URL(url);
  const { host } = parsed;
  parsed.hostname = '127.0.0.1';
  return { url: parsed.href, host };
}

/** Cookies by host name; every host has its own, as the platform sets none for all of a domain. */
export interface Jar { cookies: Map<string, Map<string, string>> }

export function createJar(): Jar {
  return { cookies: new Map() };
}

export function cookieHeader(jar: Jar, url: string): string {
  const cookies = jar.cookies.get(new URL(url).hostname) ?? new Map<string, string>();
  return [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
}

const MAX_REDIRECTS = 10;

/** Navigate as a browser does: follow redirects from name to name, keeping cookies. */
export async function visit(jar: Jar, start: Target): Promise<Answer> {
  let target = start;
  for (let count = 0; count <= MAX_REDIRECTS; count += 1) {
    const answer = await askWithCookies(jar, target);
    const { location } = answer.headers;
    if (answer.status < 300 || answer.status > 399 || location === undefined) return answer;
    target = { url: new URL(location, target.url).href };
  }
  throw new Error(`${start.url} redirects without end`);
}

async function askWithCookies(jar: Jar, target: Target): Promise<Answer> {
  const { url, host } = loopback(target.url);
  const cookie = cookieHeader(jar, target.url);
  const navigation = { accept: 'text/html', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };
  const answer = await ask({ ...target, url, headers: { ...navigation, ...target.headers, host, ...(cookie && { cookie }) } });
  keepCookies(jar, new URL(target.url).hostname, answer.headers['set-cookie'] ?? []);
  return answer;
}

function keepCookies(jar: Jar, hostname: string, lines: readonly string[]): void {
  const cookies = jar.cookies.get(hostname) ?? new Map<string, string>();
  for (const line of lines) {
    const [pair = ''] = line.split(';');
    const [name = '', ...value] = pair.split('=');
    cookies.set(name.trim(), value.join('=').trim());
  }
  jar.cookies.set(hostname, cookies);
}
