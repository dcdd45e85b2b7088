// Owns the platform's two cookies: their names over HTTP and HTTPS, and their attributes. Knows not what they mean.
import { stringifySetCookie } from 'cookie';

export type PlatformCookie = 'session' | 'instance';

/** `__Host-` needs TLS: only a browser that saw it there accepts it, for one host, on every path. */
export function cookieName(cookie: PlatformCookie, isSecure: boolean): string {
  return `${isSecure ? '__Host-' : ''}space_${cookie}`;
}

/** A Set-Cookie value: host-only, not for scripts. `value` '' deletes it. */
export function setCookie(cookie: PlatformCookie, value: string, options: { isSecure: boolean; maxAgeSeconds: number }): string {
  return stringifySetCookie({
    name: cookieName(cookie, options.isSecure), value, path: '/', httpOnly: true, sameSite: 'lax',
    secure: options.isSecure, maxAge: value === '' ? 0 : options.maxAgeSeconds,
  });
}

/** Every value that a Cookie header gives this name, in its order. */
export function cookieValues(header: string, name: string): string[] {
  return header.split(';').map((pair) => pair.trim()).filter((pair) => pair.startsWith(`${name}=`)).map((pair) => pair.slice(name.length + 1));
}
