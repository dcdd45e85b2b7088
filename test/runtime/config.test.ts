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
    unsafeNoSandbox: false, setupSecret: undefined, logLevel: 'info', openStores: 200,
  });
  expect(Object.isFrozen(load({}))).toBe(true);
});

describe('each setting', () => {
  const CASES: [flag: string | undefined, variable: string, text: string, field: keyof Config, value: unknown][] = [
    ['--data', 'OWNSPACE_DATA', '/srv/space', 'dataFolder', '/srv/space'],
    ['--data', 'OWNSPACE_DATA', 'here', 'dataFolder', resolve('here')],
    [undefined, 'OWNSPACE_DNS', '127.0.0.1:5353', 'dnsServer', '127.0.0.1:5353'],
    [undefined, 'OWNSPACE_DNS', '[2620:fe::fe]:53', 'dnsServer', '[2620:fe::fe]:53'],
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
    [undefined, 'OWNSPACE_OPEN_STORES', '1000', 'openStores', 1000],
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
    [{ OWNSPACE_OPEN_STORES: '0' }, /1 to 999999/], [{ OWNSPACE_OPEN_STORES: 'many' }, /1 to 999999/],
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
    expect(problems({ OWNSPACE_LOG: 'loud', OWNSPACE_UNSAFE_NO_SANDBOX: 'maybe' }, '--prot', '1')).toHaveLength(3);
    expect(problems({}, '--port')[0]).toContain('--port');
    expect(problems({}, 'start')[0]).toContain('start');
    expect(problems({}, '--unsafe-no-sandbox=1')[0]).toContain('unsafe-no-sandbox');
    expect(problems({}, '--nope')[0]).toContain('--help');
  });

  test('without the secrets in it', () => {
    expect(problems({ OWNSPACE_BLOBS: 's3://KEY:canary7@host' })).toEqual(['OWNSPACE_BLOBS is "s3:...": the bucket is missing']);
    expect(problems({ OWNSPACE_STORE: 'postgres://me:canary7@host' })).toEqual(['OWNSPACE_STORE is "postgres:...": this version has "level:" only']);
    const values = [
      's3://KEY:canary7@host', 's3:KEY:canary7@host/bucket', 's3:/KEY:canary7@host/bucket', 'S3://KEY:canary7@host/B', 's3//KEY:canary7@host/bucket', 'KEY:canary7@host/bucket',
      'http://KEY:canary7@host/bucket', 's3://KEY:can/ary7@host/bucket', 's3://KEY:canary7@ho st/bucket', 's3://canary7@host/bucket', 's3://KEY:canary7%@host/bucket', 'canary7canary7',
      's3://KEY:x@host/bucket?secret=canary7', 's3://KEY:x@host/bucket/canary7/canary7', 's3://host/bucket?tls=canary7',
    ];
    for (const value of values) {
      for (const variable of ['OWNSPACE_BLOBS', 'OWNSPACE_STORE', 'OWNSPACE_BUS', 'OWNSPACE_GRPC_PORT']) {
        const found = problems({ [variable]: value });
        expect(found, `${variable}=${value}`).not.toEqual([]);
        expect(found.join(), `${variable}=${value}`).not.toContain('ary7');
      }
      // Half of a flag, as a space too many makes it.
      for (const args of [['--blobs', 's3:', value], ['--blob', value], [`--blob=${value}`], ['--blobs=', value]]) {
        expect(problems({}, ...args).join(), args.join(' ')).toMatch(/^(?!.*ary7)./s);
      }
    }
    expect(problems({ OWNSPACE_SETUP_SECRET: 'canary7' }).join()).not.toContain('canary7');
  });
});

describe('blobs in S3', () => {
  const PLACE = { host: 's3.example', port: 443, hasTls: true, accessKey: 'KEY', secretKey: 'SECRET', bucket: 'files', region: undefined };

  test.each<[string, object]>([
    ['s3://KEY:SECRET@s3.example/files', {}], ['s3://KEY:SECRET@s3.example/files/', {}], ['s3://KEY:SECRET@s3.example/files?tls=1', {}],
    ['s3://KEY:SECRET@s3.example:9000/files?tls=0', { port: 9000, hasTls: false }], ['s3://KEY:SECRET@127.0.0.1/files?tls=0', { host: '127.0.0.1', port: 80, hasTls: false }],
    ['s3://KEY:SECRET@[::1]:9000/files', { host: '::1', port: 9000 }], ['s3://KEY:SECRET@s3.example:443/files?tls=0', { hasTls: false }], ['s3://KEY:SECRET@s3.example:80/files', { port: 80 }],
    ['s3://KEY:a%2Fb%2B%40%25%3A@s3.example/files', { secretKey: 'a/b+@%:' }], ['s3://KEY:SECRET@s3.example/files?region=eu-central-1', { region: 'eu-central-1' }],
  ])('%s', (text, change) => {
    expect(load({ OWNSPACE_BLOBS: text }).blobs).toEqual({ ...PLACE, ...change });
    expect(load({}, '--blobs', text).blobs).toEqual({ ...PLACE, ...change });
    expect(Object.isFrozen(load({ OWNSPACE_BLOBS: text }).blobs)).toBe(true);
  });

  test('none unless asked for', () => {
    expect(load({}).blobs).toBeUndefined();
    expect(load({ OWNSPACE_BLOBS: 'file:' }).blobs).toBeUndefined();
  });

  test.each<[string, RegExp]>([
    ['s3://KEY:SECRET@s3.example', /the bucket is missing/], ['s3://KEY:SECRET@s3.example/Files', /3 to 63 lower-case/], ['s3://KEY:SECRET@s3.example/files/more', /nothing follows/],
    ['s3://s3.example/files', /KEY and SECRET are needed/], ['s3://KEY@s3.example/files', /KEY and SECRET/], ['s3://KEY:%zz@s3.example/files', /KEY and SECRET/],
    ['s3://KEY:SECRET@s3.example/files?tls=no', /tls is 0 or 1/], ['s3://KEY:SECRET@s3.example/files?ssl=0', /only tls and region/], ['s3://KEY:SECRET@s3.example/files?region=a%20b', /region/],
    ['s3:', /host is missing|use the form/], ['s3://KEY:SECRET@/files', /use the form/], ['s3://KEY:SECRET@s3.example:99999/files', /use the form/], ['s3://KEY:SECRET@s3_example/files', /not a host name/],
    ['gs://files', /use "file:" or s3:\/\/KEY:SECRET@/], ['', /use "file:"/],
  ])('%j is refused', (text, expected) => {
    expect(problems({ OWNSPACE_BLOBS: text }).join('\n')).toMatch(expected);
    expect(problems({}, `--blobs=${text}`)[0]).toMatch(/^--blobs is /);
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
