// Owns the proof that a Host header leads to one plane, whatever its spelling, and never to somebody by default.
import { describe, expect, test } from 'vitest';
import { canonicalHost, createPlanes } from '../../../runtime/http/host.ts';
import { RESERVED_LABELS } from '../../../runtime/instance/label.ts';

const local = createPlanes({ domain: 'localhost', appsDomain: 'localhost' });
const remote = createPlanes({ domain: 'space.example', appsDomain: 'apps.example' });

describe('on this machine', () => {
  test.each([
    ['localhost', 'control'], ['localhost:4400', 'control'], ['LOCALHOST', 'control'], ['localhost.', 'control'], ['localhost.:4400', 'control'],
    ['127.0.0.1', 'control'], ['127.0.0.1:4400', 'control'], ['127.8.9.1', 'control'], ['[::1]:4400', 'control'],
    ['guestbook-a1234567.localhost', 'instance'], ['Guestbook-A1234567.LOCALHOST:4400', 'instance'], ['guestbook-a1234567.localhost.', 'instance'],
    ['a.b.localhost', 'unknown'], ['-a.localhost', undefined], ['a-.localhost', 'unknown'], [`${'a'.repeat(64)}.localhost`, 'unknown'],
    ['evil.example', 'unknown'], ['localhost.evil.example', 'unknown'], ['notlocalhost', 'unknown'], ['10.0.0.1', 'unknown'], ['0.0.0.0', 'unknown'], ['[::2]', 'unknown'], ['127.1', 'unknown'],
    ['database.localhost', 'data'], ['drive.localhost:4400', 'data'], ['database.deta.sh', 'data'], ['drive.deta.sh', 'data'], ['deta.sh', 'unknown'],
  ] as const)('%s is %s', (host, kind) => {
    expect(local(host)?.kind).toBe(kind);
    expect(local(host)?.kind).toBe(kind); // remembered
  });

  test.each([
    undefined, '', ' ', ':', ':80', '.', '..', 'localhost:', 'localhost:x', 'localhost:80:80', 'localhost:99999', 'localhost:-1', 'localhost/', 'localhost/..', 'a@localhost', 'victim@evil',
    'http://localhost', 'local host', 'localhost,evil', 'a..localhost', '.localhost', 'localhost..', 'a_b.localhost', 'lócalhost', 'localhost\0', 'a%2elocalhost', '*.localhost', '[::1', '::1', `${'a.'.repeat(200)}localhost`,
  ])('%j is malformed', (host) => {
    expect(local(host)).toBeUndefined();
  });

  test.each([...RESERVED_LABELS])('%s.localhost is no Instance', (label) => {
    expect(local(`${label}.localhost`)?.kind).not.toBe('instance');
  });
});

describe('under two domains', () => {
  test.each([
    ['space.example', 'control'], ['apps.example', 'unknown'], ['x.apps.example', 'instance'], ['x.space.example', 'unknown'],
    ['localhost', 'unknown'], ['127.0.0.1', 'unknown'], ['database.space.example', 'data'], ['database.apps.example', 'unknown'], ['xapps.example', 'unknown'],
    ['space.example.apps.example', 'unknown'],
  ] as const)('%s is %s', (host, kind) => {
    expect(remote(host)?.kind).toBe(kind);
  });

  test('the data plane tells Base from Drive by its name, and an Instance has its label', () => {
    expect(remote('database.space.example')).toEqual({ kind: 'data', host: 'database.space.example', service: 'base' });
    expect(remote('drive.space.example')).toEqual({ kind: 'data', host: 'drive.space.example', service: 'drive' });
    expect(remote('X.APPS.example.:4400')).toEqual({ kind: 'instance', host: 'x.apps.example', label: 'x' });
  });
});

test('names that are asked for and forgotten do not grow the memory of names', () => {
  for (let count = 0; count < 3000; count += 1) expect(local(`name-${count}.localhost`)?.kind).toBe('instance');
  expect(local('name-1.localhost')).toMatchObject({ kind: 'instance', label: 'name-1' });
});

test.each([['A.Example:1', 'a.example'], ['a.example.', 'a.example'], ['[::1]:80', '[::1]'], ['a.example:65536', undefined]])('%s is %s in its one spelling', (host, canonical) => {
  expect(canonicalHost(host)).toBe(canonical);
});
