// The published SDKs, unmodified, against a real host: found by DETA_BASE_HOST and DETA_DRIVE_HOST, and by the names that
// they have built in. `npm test` runs the short cases, `npm run test:sdk` all.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { canHaveOwnNetwork, OWN_DOMAIN, startByOriginalName, startByVariable, trust, type SdkHost } from './sdk-host.ts';
import { EXTENT, failuresOf, goProgram, ownPythonSdk, pythonSdk, runNodeSdk, runProgram, type Unavailable } from './sdk-program.ts';

const NODE_SDKS = [['deta', 2], ['deta1', 1], ['deta1.1', 1]] as const;
const LEAST = EXTENT === 'all' ? 20 : 12;
const LEAST_PYTHON = EXTENT === 'all' ? 12 : 9;

const [python, oldPython, ownPython, go] = await Promise.all([pythonSdk('1.2.0'), pythonSdk('0.9'), ownPythonSdk(), goProgram()]);
const hasOwnNetwork = canHaveOwnNetwork();
if (!hasOwnNetwork) console.log('Deta\'s own names: this system does not let us make a network of our own (unshare, nsenter)');

/** Tests of what is not there are skipped, and say why. */
function declare(title: string, made: string | Unavailable, cases: (made: string) => void): void {
  const isThere = typeof made === 'string';
  if (!isThere) console.log(`${title}: ${made.reason}`);
  describe.skipIf(!isThere)(isThere ? title : `${title} without its ${made.missing}`, () => { cases(isThere ? made : ''); });
}

function declareSdks(hostOf: () => SdkHost, env: () => Record<string, string> = () => ({})): void {
  test.each(NODE_SDKS)('npm %s', async (name, major) => {
    expect(failuresOf(await runNodeSdk(hostOf(), [name, major], { env: env() }), LEAST)).toEqual({});
  });
  declare('Python 1.2.0', python, (folder) => {
    test.each([['sync', LEAST_PYTHON], ['async', 1]] as const)('%s', async (kind, least) => {
      const results = await runProgram(hostOf(), ['python3', 'cases.py', kind, EXTENT], { PYTHONPATH: folder, ...env() });
      expect(failuresOf(results, least)).toEqual({});
    });
  });
  declare('Python, what the host gives in its place', ownPython, (folder) => {
    test.each([['sync', '1.2.0', LEAST_PYTHON], ['async', '1.2.0', 1], ['old', '0.9', LEAST_PYTHON - 1]] as const)('%s of %s', async (kind, version, least) => {
      const PYTHONPATH = join(folder, `deta-${version}-py3-none-any.whl`);
      expect(failuresOf(await runProgram(hostOf(), ['python3', 'cases.py', kind, EXTENT], { PYTHONPATH, ...env() }), least)).toEqual({});
    });
  });
  declare('Python 0.9', oldPython, (folder) => {
    test('sync', async () => {
      const results = await runProgram(hostOf(), ['python3', 'cases.py', 'old', EXTENT], { PYTHONPATH: folder, ...env() });
      expect(failuresOf(results, LEAST_PYTHON - 1)).toEqual({});
    });
  });
}

describe('found by variables', () => {
  let host: SdkHost;
  beforeAll(async () => { host = await startByVariable(); });
  afterAll(() => host?.[Symbol.asyncDispose]());

  declareSdks(() => host);

  test('npm deta with a project id and a token', async () => {
    expect(failuresOf(await runNodeSdk(host, ['deta', 2], { credential: 'token' }), LEAST)).toEqual({});
  });

  test('nothing works with another key, or without the authority', async () => {
    const wrong = await runNodeSdk(host, ['deta', 2], { env: { DETA_PROJECT_KEY: `${host.dataKey}x` } });
    expect(wrong['put returns what it stored, with a key']).toMatch(/^Error: Unauthorized/);
    const untrusting = await runNodeSdk(host, ['deta', 2], { env: { NODE_EXTRA_CA_CERTS: '' } });
    expect(untrusting['put returns what it stored, with a key']).toMatch(/^Error: Something went wrong/);
  });

  declare('Go 1.0.0', go, (program) => {
    test('all cases', async () => {
      const roots = Object.fromEntries(['BASE', 'DRIVE'].map((service) => [`DETA_${service}_ROOT_ENDPOINT`, `https://${host.env['DETA_BASE_HOST']}/v1`]));
      expect(failuresOf(await runProgram(host, [program], roots), 4)).toEqual({});
    });
  });
});

describe.skipIf(!hasOwnNetwork)('found by name, in a network of its own', () => {
  let host: SdkHost;
  beforeAll(async () => { host = await startByOriginalName(); });
  afterAll(() => host?.[Symbol.asyncDispose]());

  describe('database.deta.sh and drive.deta.sh', () => {
    declareSdks(() => host);
    declare('Go 1.0.0', go, (program) => {
      test('all cases', async () => expect(failuresOf(await runProgram(host, [program]), 4)).toEqual({}));
    });
  });

  describe.each(EXTENT === 'all' ? ['database.DOMAIN and drive.DOMAIN'] : [])('%s', () => {
    declareSdks(() => host, () => ({
      DETA_BASE_HOST: `database.${OWN_DOMAIN}`, DETA_DRIVE_HOST: `drive.${OWN_DOMAIN}`, ...trust(join(host.dataFolder, 'tls', 'ca.pem')),
    }));
  });

  test('each authority vouches for its own names only', async () => {
    const mixed = await runNodeSdk(host, ['deta', 2], { env: trust(join(host.dataFolder, 'tls', 'ca.pem')) });
    expect(mixed['put returns what it stored, with a key']).toMatch(/^Error: Something went wrong/);
  });
});
