// Owns the proof that request paths have one normal form, reach the right Micro, and are public only when they should be.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isPublicRoute, microForPath, normalizePath } from '../../spacefile-schema/route.ts';

describe('normalizePath', () => {
  it.each([
    ['/', '/'],
    ['/a/b', '/a/b'],
    ['/a/b/', '/a/b/'],
    ['/a//b', '/a//b'],
    ['//a', '/a'],
    ['///', '/'],
    ['/.well-known/x', '/.well-known/x'],
    ['/...', '/...'],
    ['/a/./b', '/a/b'],
    ['/public/../private', '/private'],
    ['/public/%2e%2E/private', '/private'],
    ['/a/.%2e/b', '/b'],
    ['/a/..', '/'],
    ['/a/b/..', '/a/'],
    ['/a/..//b', '/b'],
    ['/%41%c3%bc', '/A%C3%BC'],
    ['/{id}', '/%7Bid%7D'],
    ['/a b', '/a%20b'],
    ['/@scope%2fname', '/@scope%2Fname'],
    ['/a%2520b', '/a%2520b'],
    ['/a;v=1/b', '/a;v=1/b'],
  ])('brings %s into the form %s', (raw, normal) => {
    expect(normalizePath(raw)).toBe(normal);
  });

  it.each([
    '', '*', 'a', 'http://host/a', '/a?b', '/a#b', '/../etc/passwd', '/a/../../b', '/..%2fb', '/a/..%2Fb', '/a%2f..%2fb', '/a/..%5cb',
    '/a\\b', '/a\\..\\b', '/a/..;/b', '/a/.;x', '/a/..%3b/b', '/a/%252e%252e/b', '/a/..%252fb', '/a%00', '/a\0b', '/a%2500', '/a\r\nb',
    '/ü', '/\u{2028}', '/%', '/100%', '/%g0', '/%c0%ae%c0%ae/', '/%ff', '/%ed%a0%80', '/%u002e',
  ])('refuses %j', (raw) => {
    expect(normalizePath(raw)).toBeUndefined();
  });

  const segment = fc.oneof(
    fc.constantFrom('', '.', '..', '%2e', '%2E%2e', '..;', '%2f', '%5C', '%252e', '%25', '\\', 'a', 'b.c', '%41', '%c3%bc', '%ff', '{', '"', '^', '|', '%00', ';', '..%2f'),
    fc.string({ unit: 'grapheme-ascii', maxLength: 4 }),
  );
  const rawPath = fc.array(fc.tuple(segment, segment).map((parts) => parts.join('')), { maxLength: 6 }).map((parts) => `/${parts.join('/')}`);

  it('is idempotent, and what any URL parser makes of its own result', () => {
    let accepted = 0;
    fc.assert(fc.property(rawPath, (raw) => {
      const path = normalizePath(raw);
      if (path === undefined) return;
      accepted++;
      expect(normalizePath(path)).toBe(path);
      expect(new URL(`http://host${path}`).pathname).toBe(path);
    }), { numRuns: 3000 });
    expect(accepted).toBeGreaterThan(200);
  });

  it('never leaves a dot segment, NUL or backslash separator, decoded once or twice', () => {
    fc.assert(fc.property(rawPath, (raw) => {
      let text = normalizePath(raw) ?? '/';
      for (let round = 0; round < 3; round++) {
        expect(text).not.toMatch(/(?:^|[\\/])\.{1,2}(?:[\\/;]|$)|\0/);
        text = text.replace(/%[0-7][0-9a-f]/gi, (triplet) => String.fromCharCode(Number.parseInt(triplet.slice(1), 16)));
      }
    }), { numRuns: 3000 });
  });

  it('agrees with URL parsers wherever it accepts a path without empty segments', () => {
    fc.assert(fc.property(rawPath, (raw) => {
      const path = normalizePath(raw);
      if (path === undefined || raw.includes('//')) return;
      const parsed = new URL(`http://host${raw}?`).pathname;
      expect(decodeURIComponent(path)).toBe(decodeURIComponent(parsed));
    }), { numRuns: 3000 });
  });

  it('takes any text without throwing', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (raw) => {
      const path = normalizePath(`/${raw}`);
      expect(path === undefined || path.startsWith('/')).toBe(true);
    }));
  });

  it.each(['a', 'a/', '/', './', '../', 'a/../', '%2e%2e/', '%41', '%25', '%2525', ';', '%', 'a.', '.'])('takes linear time on 200,000 characters of %s', (unit) => {
    const started = performance.now();
    normalizePath(`/${unit.repeat(200_000 / unit.length)}`);
    normalizePath(`/${unit.repeat(200_000 / unit.length)}%`);
    expect(performance.now() - started).toBeLessThan(500);
  });
});

describe('microForPath', () => {
  const micros = [
    { name: 'web', primary: true, path: '/' },
    { name: 'api', primary: false, path: '/api' },
    { name: 'deep', primary: false, path: '/api/v2' },
  ];

  it.each([
    ['/', 'web', '/'],
    ['/apiary', 'web', '/apiary'],
    ['/API', 'web', '/API'],
    ['/api', 'api', '/'],
    ['/api/', 'api', '/'],
    ['/api/weather', 'api', '/weather'],
    ['/api//evil.example', 'api', '/evil.example'],
    ['/api%2Fweather', 'web', '/api%2Fweather'],
    ['/api/v2', 'deep', '/'],
    ['/api/v2/x', 'deep', '/x'],
    ['/api/v20', 'api', '/v20'],
  ])('gives %s to %s as %s', (path, name, rest) => {
    for (const order of [micros, micros.toReversed()]) {
      expect(microForPath(order, path)).toMatchObject({ micro: { name }, path: rest });
    }
  });

  it('finds nothing without a primary', () => {
    expect(microForPath(micros.slice(1), '/x')).toBeUndefined();
  });

  it('hands on a path that is still normal', () => {
    fc.assert(fc.property(fc.array(fc.constantFrom('api', 'v2', 'x', '', '..', 'a%2fb'), { maxLength: 6 }), (segments) => {
      const path = normalizePath(`/${segments.join('/')}`);
      if (path === undefined) return;
      const found = microForPath(micros, path);
      expect(normalizePath(found?.path ?? '')).toBe(found?.path);
    }));
  });
});

describe('isPublicRoute', () => {
  const isPublic = (routes: string[], path: string, prefix = '/') => isPublicRoute({ path: prefix, publicRoutes: routes }, path);

  it.each([
    [['/*'], '/', true],
    [['/*'], '/a/b', true],
    [['*'], '/a', true],
    [['/public/*'], '/public/', true],
    [['/public/*'], '/public/a/b', true],
    [['/public/*'], '/public', false],
    [['/public/*'], '/publicity', false],
    [['/public'], '/public', true],
    [['/public'], '/public/', false],
    [['/public'], '/Public', false],
    [['public'], '/public', true],
    [['/*.png'], '/a/b.png', true],
    [['/*.png'], '/a/b.png/c', false],
    [['/api/v*/events'], '/api/v1/events', true],
    [['/api/v*/events'], '/api/v/events', true],
    [['/api/v*/events'], '/api/v1/event', false],
    [['/a*a'], '/a', false],
    [['/a*a'], '/aa', true],
    [['/a*b*c'], '/a-b-b-c', true],
    [['/a*b*c'], '/a-c-b', false],
    [['/a b/ü/*'], '/a%20b/%C3%BC/x', true],
    [['/a%20b'], '/a%20b', true],
    [['/a*b*b'], '/ab', false],
    [['/a*b*b'], '/abb', true],
    [['/x', '/y'], '/y', true],
    [['/a.c'], '/abc', false],
    [['/public/../private'], '/private', false],
    [[], '/', false],
  ])('%j with %s: %s', (routes, path, expected) => {
    expect(isPublic(routes, path)).toBe(expected);
  });

  it('understands patterns that spell out the prefix, and no more than those', () => {
    expect(isPublic(['/api/submit*'], '/submit/1', '/api')).toBe(true);
    expect(isPublic(['/api/submit*'], '/api/submit/1', '/api')).toBe(true);
    expect(isPublic(['/api'], '/', '/api')).toBe(true);
    expect(isPublic(['/submit'], '/submit', '/api')).toBe(true);
    expect(isPublic(['/a*'], '/secret', '/api')).toBe(false);
    expect(isPublic(['/api*'], '/secret', '/api')).toBe(false);
    expect(isPublic(['/apis/x'], '/s/x', '/api')).toBe(false);
  });

  it('never opens a private path through any spelling of it', () => {
    const spelling = fc.array(fc.constantFrom('public', 'private', '..', '%2e%2e', '.', '', '%2f', '..%2f', ';', '..;', 'Private', '%70rivate'), { maxLength: 6 });
    let publicPaths = 0;
    fc.assert(fc.property(spelling, (segments) => {
      const path = normalizePath(`/${segments.join('/')}`);
      if (path === undefined || !isPublic(['/public/*'], path)) return;
      publicPaths++;
      const seen = decodeURIComponent(decodeURIComponent(path));
      expect(new URL(seen, 'http://host').pathname).toMatch(/^\/public\//);
    }), { numRuns: 2000 });
    expect(publicPaths).toBeGreaterThan(50);
  });

  it('says the same as a regular expression', () => {
    const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '*', '*'), maxLength: 8 });
    fc.assert(fc.property(pattern, fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 6 }), (pattern, path) => {
      const expected = new RegExp(`^/${pattern.replaceAll('*', '.*')}$`).test(`/${path}`);
      expect(isPublic([`/${pattern}`], `/${path}`)).toBe(expected);
    }), { numRuns: 2000 });
  });

  it.each(['*a'.repeat(120), `*${'a'.repeat(250)}b*`, `*b${'a'.repeat(250)}*`, `*${'ab'.repeat(100)}c*c`])('takes linear time for %s', (pattern) => {
    const routes = Array.from({ length: 100 }, () => pattern);
    const started = performance.now();
    for (const unit of ['a', 'ab', 'b']) isPublic(routes, `/${unit.repeat(16_000 / unit.length)}`);
    expect(performance.now() - started).toBeLessThan(500);
  });
});
