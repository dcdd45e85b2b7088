// Owns the proof that no credential of the platform reaches a Micro, that nobody outside sets what is the platform's to
// set, and that a Micro's answer speaks for its own host only.
import { describe, expect, test } from 'vitest';
import { cleanRequestHeaders, cleanResponseHeaders, headerValue, type CleanRequest } from '../../../runtime/http/headers.ts';

const FACTS = { host: 'a.localhost:4400', proto: 'http' as const, clientAddress: '10.0.0.1', requestId: 'request-1' };
const ADDED = ['host', FACTS.host, 'x-forwarded-for', '10.0.0.1', 'x-forwarded-proto', 'http', 'x-forwarded-host', FACTS.host, 'x-request-id', 'request-1'];
const clean = (...raw: string[]): CleanRequest => cleanRequestHeaders(raw, FACTS);
/** What is left of the request's own headers. */
const passed = (...raw: string[]): string[] => clean(...raw).headers.slice(0, -ADDED.length);

describe('a request', () => {
  test('keeps its own headers, in order, with their spelling and repetitions', () => {
    const raw = ['Accept', 'text/html', 'X-Own', '1', 'x-own', '2', 'Content-Length', '3', 'X-API-Key', 'k', 'Authorization', 'Bearer of-the-app', 'Range', 'bytes=0-1'];
    expect(clean('Host', 'a.localhost', ...raw).headers).toEqual([...raw, ...ADDED]);
  });

  test.each([
    'x-space-user', 'X-Space-User', 'X_Space_User', 'x-SPACE-app-key', 'x_space-app_key', 'X-Deta-Signature', 'x_deta_timestamp',
    'X-Forwarded-For', 'x_forwarded_for', 'X-Forwarded-Anything', 'Forwarded', 'X-Real-IP', 'x_real_ip', 'True-Client-IP', 'X-Request-Id', 'X_Request_ID', 'Host', 'Expect',
    'Connection', 'Keep-Alive', 'Proxy-Authorization', 'Proxy-Connection', 'TE', 'Trailer', 'Transfer-Encoding', 'Upgrade', 'HTTP2-Settings',
  ])('loses %s', (name) => {
    expect(passed(name, 'spoofed')).toEqual([]);
    expect(passed('a', '1', name, 'spoofed', name, 'again', 'b', '2')).toEqual(['a', '1', 'b', '2']);
  });

  test.each(['x-spaceship', 'xspace-user', 'x-deta', 'my-x-space-user', 'x-forward'])('keeps %s', (name) => {
    expect(passed(name, 'own')).toEqual([name, 'own']);
  });

  test('the platform says who calls, once', () => {
    const { headers } = clean('X-Forwarded-For', '6.6.6.6', 'Host', 'evil');
    expect(headers).toEqual(ADDED);
  });

  test('an access token of the platform is no business of a Micro', () => {
    expect(passed('Authorization', `Bearer ${'a'.repeat(8)}_${'b'.repeat(32)}`)).toEqual([]);
    expect(passed('authorization', ` bearer  ${'a'.repeat(8)}_${'b'.repeat(32)} `)).toEqual([]);
    expect(passed('Authorization', 'Basic dXNlcjpwYXNz')).toEqual(['Authorization', 'Basic dXNlcjpwYXNz']);
  });

  test('counts its Host headers', () => {
    expect([clean().hostCount, clean('host', 'a').hostCount, clean('Host', 'a', 'HOST', 'b').hostCount]).toEqual([0, 1, 2]);
  });
});

describe('cookies of a request', () => {
  test('of the app pass as they came', () => {
    expect(clean('Cookie', 'a=1; b="x;y"; c')).toMatchObject({ platformCookies: {} });
    expect(passed('Cookie', 'a=1; b=2')).toEqual(['Cookie', 'a=1; b=2']);
  });

  test('of the platform are taken out, wherever they stand', () => {
    const { headers, platformCookies } = clean('Cookie', 'a=1;space_instance=jwt; b=2; __Host-space_session=s; space_session=t=u', 'cookie', 'c=3; __Host-space_instance=v');
    expect(headers.slice(0, 4)).toEqual(['Cookie', 'a=1; b=2', 'cookie', 'c=3']);
    expect(platformCookies).toEqual({ 'space_instance': ['jwt'], '__Host-space_session': ['s'], 'space_session': ['t=u'], '__Host-space_instance': ['v'] });
  });

  test('a header that held nothing else is gone', () => {
    expect(passed('Cookie', 'space_instance=jwt')).toEqual([]);
  });

  test('the first of several counts, and names of objects mean nothing', () => {
    expect(clean('Cookie', 'space_instance=1; space_instance=2; __proto__=3; space_x=4').platformCookies).toEqual({ space_instance: ['1', '2'] });
    expect(passed('Cookie', 'space_instance=1; __proto__=3; space_x=4')).toEqual(['Cookie', '__proto__=3; space_x=4']);
  });

  test('with space around the name are recognised', () => {
    expect(passed('Cookie', ' space_session =1;a=2')).toEqual(['Cookie', 'a=2']);
  });
});

describe('an answer', () => {
  test('keeps its own headers', () => {
    const headers = ['Content-Type', 'text/html', 'x-own', '1', 'Cache-Control', 'no-store', 'Location', '/there', 'content-security-policy', "default-src 'self'"];
    expect(cleanResponseHeaders(headers)).toEqual(headers);
  });

  test.each([
    'Strict-Transport-Security', 'Public-Key-Pins', 'Expect-CT', 'Alt-Svc', 'Server', 'Date', 'Content-Length', 'Clear-Site-Data', 'X-Space-User', 'Connection', 'Transfer-Encoding', 'Upgrade', 'Keep-Alive', 'Trailer',
  ])('loses %s', (name) => {
    expect(cleanResponseHeaders(['a', '1', name, 'x', 'b', '2'])).toEqual(['a', '1', 'b', '2']);
  });

  test.each([
    ['a=1; Domain=localhost; Path=/', 'a=1; Path=/'], ['a=1;domain=.localhost', 'a=1'], ['a=1; DOMAIN = x ; Secure', 'a=1; Secure'], ['a=1; Domain', 'a=1'],
    ['domain=mine; Path=/', 'domain=mine; Path=/'], ['a=domain=x; HttpOnly', 'a=domain=x; HttpOnly'], ['a=1; Max-Age=1; SameSite=Lax', 'a=1; Max-Age=1; SameSite=Lax'],
  ])('cookie %s is %s', (cookie, expected) => {
    expect(cleanResponseHeaders(['Set-Cookie', cookie])).toEqual(['Set-Cookie', expected]);
  });

  test.each([
    'space_session=x', 'space_instance=x; Path=/', '__Host-space_session=x; Secure; Path=/', ' space_instance =x', 'SPACE_INSTANCE=x', 'space_session', '=space_session=x', '=space_instance', ' = space_session=x',
  ])('cookie %j of the platform is not the app\'s to set', (cookie) => {
    expect(cleanResponseHeaders(['Set-Cookie', cookie, 'set-cookie', 'own=1'])).toEqual(['set-cookie', 'own=1']);
  });
});

test('of what is left out the developer hears, but not of what every server sends or what speaks of one connection', () => {
  const dropped: string[] = [];
  cleanResponseHeaders(['Server', 'x', 'Date', 'x', 'Connection', 'close', 'a', '1', 'Alt-Svc', 'x', 'X-Space-User', 'x', 'Set-Cookie', 'a=1; Domain=x', 'Set-Cookie', 'space_session=x', 'Set-Cookie', 'b=2'], (what) => dropped.push(what));
  expect(dropped).toEqual(['alt-svc', 'x-space-user', 'Domain of a cookie', 'set-cookie']);
});

test('the first value of a header is its value', () => {
  expect(headerValue(['A', '1', 'b', '2', 'B', '3'], 'b')).toBe('2');
  expect(headerValue(['a', 'b', 'c'], 'b')).toBeUndefined();
});
