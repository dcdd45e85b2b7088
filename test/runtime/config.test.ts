// Owns the proof that flags and variables mean what `--help` says, and that everything wrong is said at once.
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isSpaceError } from '../../core/errors.ts';
import { helpText, loadConfig, type Config } from '../../runtime/config.ts';

function load(env: Record<string, string | undefined>, ...args: string[]): Config {
  const config = loadConfig(env, args);
  if (config === 'help') throw new TypeError('no help was asked for');
  return config;
}

function problems(env: Record<string, string>, ...args: string[]): string[] {
  try {
    load(env, ...args);
    return [];
  } catch (error) {
    if (!isSpaceError(error, 'CONFIG_INVALID')) throw error;
    const { problems: found } = error.details as { problems: string[] };
    for (const problem of found) expect(error.message).toContain(problem);
    return found;
  }
}

test('nothing has to be configured', () => {
  expect(load({})).toMatchObject({
    dataFolder: resolve('data'), port: 4400, tlsPort: 4443, listenAddress: '127.0.0.1', domain: 'localhost', appsDomain: 'localhost',
    unsafeNoSandbox: false, setupSecret: undefined, logLevel: 'info',
  });
  expect(Object.isFrozen(load({}))).toBe(true);
});

describe('each setting', () => {
  const CASES: [flag: string | undefined, variable: string, text: string, field: keyof Config, value: unknown][] = [
    ['--data', 'OWNSPACE_DATA', '/srv/space', 'dataFolder', '/srv/space'],
    ['--data', 'OWNSPACE_DATA', 'here', 'dataFolder', resolve('here')],
    ['--port', 'OWNSPACE_PORT', '0', 'port', 0],
    ['--port', 'OWNSPACE_PORT', '65535', 'port', 65_535],
    ['--tls-port', 'OWNSPACE_TLS_PORT', '8443', 'tlsPort', 8443],
    ['--tls-port', 'OWNSPACE_TLS_PORT', 'off', 'tlsPort', undefined],
    ['--host', 'OWNSPACE_HOST', '0.0.0.0', 'listenAddress', '0.0.0.0'],
    ['--host', 'OWNSPACE_HOST', '::', 'listenAddress', '::'],
    ['--domain', 'OWNSPACE_DOMAIN', 'Space.Example', 'domain', 'space.example'],
    ['--domain', 'OWNSPACE_DOMAIN', 'space.example', 'appsDomain', 'space.example'],
    ['--apps-domain', 'OWNSPACE_APPS_DOMAIN', 'apps.example', 'appsDomain', 'apps.example'],
    [undefined, 'OWNSPACE_SETUP_SECRET', 'long enough', 'setupSecret', 'long enough'],
    [undefined, 'OWNSPACE_LOG', 'debug', 'logLevel', 'debug'],
    [undefined, 'OWNSPACE_UNSAFE_NO_SANDBOX', 'true', 'unsafeNoSandbox', true],
    [undefined, 'OWNSPACE_UNSAFE_NO_SANDBOX', '1', 'unsafeNoSandbox', true],
    [undefined, 'OWNSPACE_UNSAFE_NO_SANDBOX', 'off', 'unsafeNoSandbox', false],
    [undefined, 'OWNSPACE_UNSAFE_NO_SANDBOX', '', 'unsafeNoSandbox', false],
  ];

  test.each(CASES)('%s / %s = %s', (...[flag, variable, text, field, value]) => {
    expect(load({ [variable]: text })[field]).toEqual(value);
    if (flag === undefined) return;
    expect(load({}, flag, text)[field]).toEqual(value);
    expect(load({}, `${flag}=${text}`)[field]).toEqual(value);
  });

  test('a flag wins over its variable', () => {
    expect(load({ OWNSPACE_PORT: '1', OWNSPACE_DOMAIN: 'a.example' }, '--port', '2')).toMatchObject({ port: 2, domain: 'a.example' });
    expect(load({}, '--unsafe-no-sandbox').unsafeNoSandbox).toBe(true);
  });

  test('drivers that this version has are taken by their names', () => {
    expect(problems({ OWNSPACE_STORE: 'level:', OWNSPACE_BLOBS: 'file:', OWNSPACE_BUS: 'local:', OWNSPACE_GRPC_PORT: 'off' })).toEqual([]);
  });
});

describe('what is wrong is named, with what would be right', () => {
  test.each([
    [{ OWNSPACE_PORT: 'x' }, /^OWNSPACE_PORT is "x": use a number/], [{ OWNSPACE_PORT: '65536' }, /65536/], [{ OWNSPACE_PORT: '-1' }, /-1/], [{ OWNSPACE_PORT: '4.4' }, /4\.4/], [{ OWNSPACE_PORT: '' }, /OWNSPACE_PORT/],
    [{ OWNSPACE_TLS_PORT: 'none' }, /^OWNSPACE_TLS_PORT/], [{ OWNSPACE_PORT: '5000', OWNSPACE_TLS_PORT: '5000' }, /both 5000/],
    [{ OWNSPACE_HOST: 'localhost' }, /^OWNSPACE_HOST is "localhost": use an IP address/],
    [{ OWNSPACE_DOMAIN: 'http://x.example' }, /without scheme and port/], [{ OWNSPACE_DOMAIN: 'x.example:80' }, /OWNSPACE_DOMAIN/], [{ OWNSPACE_DOMAIN: '10.0.0.1' }, /host name/],
    [{ OWNSPACE_DOMAIN: '' }, /OWNSPACE_DOMAIN/], [{ OWNSPACE_DOMAIN: '*.x.example' }, /OWNSPACE_DOMAIN/], [{ OWNSPACE_APPS_DOMAIN: 'x..example' }, /^OWNSPACE_APPS_DOMAIN/],
    [{ OWNSPACE_LOG: 'loud' }, /debug, info, warn, error/], [{ OWNSPACE_SETUP_SECRET: 'short' }, /8 characters/],
    [{ OWNSPACE_STORE: 'mysql://x' }, /"level:" only/], [{ OWNSPACE_GRPC_PORT: '5000' }, /"off" only/], [{ OWNSPACE_BUS: 'nats://x' }, /"local:" only/],
  ] as [Record<string, string>, RegExp][])('%j', (env, expected) => {
    const found = problems(env);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(expected);
  });

  test('by the name under which it was given', () => {
    expect(problems({ OWNSPACE_PORT: '1' }, '--port', 'x')).toEqual([expect.stringMatching(/^--port is "x"/)]);
  });

  test('all of it at once', () => {
    expect(problems({ OWNSPACE_PORT: 'x', OWNSPACE_HOST: 'y', OWNSPACE_DOMAIN: 'z z', OWNSPACE_LOG: 'w', OWNSPACE_STORE: 'v' }, '--tls-port', 'u')).toHaveLength(6);
  });

  test('flags that do not exist, have no value, or stand alone', () => {
    expect(problems({}, '--prot', '1')[0]).toContain('--prot');
    expect(problems({}, '--port')[0]).toContain('--port');
    expect(problems({}, 'start')[0]).toContain('start');
    expect(problems({}, '--unsafe-no-sandbox=1')[0]).toContain('unsafe-no-sandbox');
    expect(problems({}, '--nope')[0]).toContain('--help');
  });

  test('without the secrets in it', () => {
    const [blobs, store] = [problems({ OWNSPACE_BLOBS: 'gs://KEY:SECRET@host/bucket' }), problems({ OWNSPACE_STORE: 'postgres://me:SECRET@host' })];
    expect(blobs[0]).toContain('gs:');
    expect(blobs.join() + store.join() + problems({ OWNSPACE_SETUP_SECRET: 'SECRET' }).join()).not.toMatch(/SECRET@|"SECRET"/);
  });
});

test('help is help, whatever else was asked, and names every flag with its variable', () => {
  expect(loadConfig({ OWNSPACE_PORT: 'x' }, ['--help'])).toBe('help');
  const text = helpText();
  for (const name of ['data', 'port', 'tls-port', 'host', 'domain', 'apps-domain', 'store', 'blobs', 'bus', 'grpc-port', 'unsafe-no-sandbox']) {
    expect(text).toMatch(new RegExp(`--${name} .*OWNSPACE_${name.toUpperCase().replaceAll('-', '_')}`));
  }
  expect(text).toContain('OWNSPACE_SETUP_SECRET');
  expect(text).toContain('(4400)');
});
