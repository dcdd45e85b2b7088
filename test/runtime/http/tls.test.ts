// Owns the proof that the host's certificates work in real TLS connections, and that they work for nothing else.
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, rootCertificates } from 'node:tls';
import type { PeerCertificate } from 'node:tls';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createVault } from '../../../runtime/auth/vault.ts';
import { makeLeaf, openAuthority } from '../../../runtime/http/certificate.ts';
import { openTls, sniCallback } from '../../../runtime/http/tls.ts';
import type { Tls, TlsOptions } from '../../../runtime/http/tls.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

const run = promisify(execFile);
const DAY_MS = 86_400_000;
const vault = createVault(randomBytes(32));

let folder: string;
let cleanups: (() => Promise<unknown>)[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tls-'));
  cleanups = [() => rm(folder, { recursive: true })];
});
afterEach(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

const open = (options: Partial<TlsOptions> = {}): Promise<Tls> =>
  openTls({
    folder: join(folder, 'tls'), domains: ['localhost'], clock: createFakeClock(Date.now()), sealing: vault, appsDomain: options.domains?.at(-1) ?? 'localhost',
    isKnownHost: (name) => name === 'localhost' || name === 'guestbook.localhost', ...options,
  });

async function listen(tls: Tls): Promise<number> {
  const server = createServer({ SNICallback: sniCallback(tls) }, (_request, response) => response.end('hello'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(async () => { server.closeAllConnections(); server.close(); });
  return (server.address() as AddressInfo).port;
}

/** A handshake as `serverName`, trusting only `ca`. @returns the certificate that was shown */
async function handshake(port: number, { serverName, ca }: { serverName: string | undefined; ca: string }): Promise<PeerCertificate> {
  const socket = connect({ port, host: '127.0.0.1', servername: serverName ?? '', ca });
  try {
    await once(socket, 'secureConnect');
    return socket.getPeerCertificate();
  } finally {
    socket.destroy();
  }
}

/** A leaf that the authority's key signed without asking whether it may. */
async function forgedLeaf(name: string, certificate = 'ca'): Promise<string> {
  const file = join(folder, 'tls', certificate);
  const signer = await openAuthority({
    certificatePem: await readFile(`${file}.pem`, 'utf8'),
    keyDer: vault.unseal(`tls/${certificate}`, await readFile(`${file}.key`)),
  });
  if (!signer) throw new TypeError('the pair does not match');
  return (await makeLeaf(signer, name, Date.now())).certificatePem;
}

describe('names of the host', () => {
  test('are served under ca.pem, each with a certificate of its own', async () => {
    const tls = await open();
    const port = await listen(tls);
    const dashboard = await handshake(port, { serverName: 'localhost', ca: tls.caPem });
    const app = await handshake(port, { serverName: 'guestbook.localhost', ca: tls.caPem });
    expect(dashboard.subjectaltname).toBe('DNS:localhost');
    expect(app.subjectaltname).toBe('DNS:guestbook.localhost');
    expect(await readFile(join(folder, 'tls', 'ca.pem'), 'utf8')).toBe(tls.caPem);
  });

  test('are written in any case by clients', async () => {
    const tls = await open();
    expect(await tls.secureContextFor('GuestBook.LocalHost')).toBe(await tls.secureContextFor('guestbook.localhost'));
  });

  test('are not trusted under the Deta authority, nor by a stranger', async () => {
    const tls = await open();
    const port = await listen(tls);
    await expect(handshake(port, { serverName: 'localhost', ca: tls.detaCaPem })).rejects.toThrow(/unable to|self-signed/);
    await expect(handshake(port, { serverName: 'localhost', ca: String(rootCertificates[0]) })).rejects.toThrow(/unable to|self-signed/);
  });
});

describe('a name where nobody lives', () => {
  test.each(['stranger.localhost', 'example.org', 'localhost.example.org', 'evillocalhost', '127.0.0.1', 'a..localhost', '*.localhost', ''])(
    '%s gets no certificate', async (name) => {
      const tls = await open();
      expect(await tls.secureContextFor(name)).toBeUndefined();
    },
  );

  test('ends the handshake, and so does no name at all', async () => {
    const tls = await open();
    const port = await listen(tls);
    await expect(handshake(port, { serverName: 'stranger.localhost', ca: tls.caPem })).rejects.toThrow(/alert/i);
    await expect(handshake(port, { serverName: undefined, ca: tls.caPem })).rejects.toThrow(/alert/i);
    await handshake(port, { serverName: 'localhost', ca: tls.caPem });
  });

  test('loses its certificate at once when its app goes', async () => {
    const living = new Set(['guestbook.localhost']);
    const tls = await open({ isKnownHost: async (name) => living.has(name) });
    expect(await tls.secureContextFor('guestbook.localhost')).toBeDefined();
    living.clear();
    expect(await tls.secureContextFor('guestbook.localhost')).toBeUndefined();
  });
});

describe('names of Deta', () => {
  test('are served under deta-ca.pem and are not trusted under ca.pem', async () => {
    const tls = await open({ isKnownHost: () => false });
    const port = await listen(tls);
    for (const serverName of ['database.deta.sh', 'drive.deta.sh']) {
      expect((await handshake(port, { serverName, ca: tls.detaCaPem })).subjectaltname).toBe(`DNS:${serverName}`);
      await expect(handshake(port, { serverName, ca: tls.caPem })).rejects.toThrow(/unable to|self-signed/);
    }
    expect(await tls.secureContextFor('deta.sh')).toBeUndefined();
  });
});

describe('names in a box', () => {
  test('are served under sandbox-ca.pem, which vouches for nothing else and is trusted by nobody else', async () => {
    const tls = await open({ isKnownHost: () => false });
    const server = createServer({ SNICallback: (name, done) => { tls.sandboxContextFor(name).then((context) => done(null, context), done); } }, (_request, response) => response.end());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    cleanups.push(async () => { server.closeAllConnections(); server.close(); });
    const { port } = server.address() as AddressInfo;
    for (const serverName of ['database.deta.sh', 'drive.deta.sh', 'guestbook.localhost']) {
      expect((await handshake(port, { serverName, ca: tls.sandboxCaPem })).subjectaltname).toBe(`DNS:${serverName}`);
      for (const ca of [tls.caPem, tls.detaCaPem]) await expect(handshake(port, { serverName, ca })).rejects.toThrow(/unable to|self-signed/);
    }
    for (const name of ['deta.sh', 'example.org', 'evillocalhost', '']) expect(await tls.sandboxContextFor(name)).toBeUndefined();
  });

  test('are never shown by what listens on a network', async () => {
    const tls = await open();
    const port = await listen(tls);
    for (const serverName of ['database.deta.sh', 'guestbook.localhost']) {
      await expect(handshake(port, { serverName, ca: tls.sandboxCaPem })).rejects.toThrow(/unable to|self-signed/);
    }
  });

  test('get certificates that are renewed in time', async () => {
    const clock = createFakeClock(Date.now());
    const tls = await open({ clock });
    const first = await tls.sandboxContextFor('guestbook.localhost');
    expect(await tls.sandboxContextFor('guestbook.localhost')).toBe(first);
    clock.advance(61 * DAY_MS);
    expect(await tls.sandboxContextFor('guestbook.localhost')).not.toBe(first);
  });
});

/** What OpenSSL, which nobody here wrote, says of a leaf. */
async function opensslVerdict(leafPem: string, { name, ca }: { name: string; ca: string }): Promise<string> {
  const leaf = join(folder, 'leaf.pem');
  await writeFile(leaf, leafPem);
  const args = ['verify', '-x509_strict', '-purpose', 'sslserver', '-verify_hostname', name, '-CAfile', join(folder, 'tls', ca), leaf];
  return run('openssl', args).then((done) => done.stdout.trim().replace(/^.*: /, ''), (error) => error.stderr as string);
}

describe('a stolen authority key', () => {
  test('signs nothing outside the names of this host', async () => {
    await open({ domains: ['example.org', 'apps.example.net'] });
    const verdict = async (name: string) => opensslVerdict(await forgedLeaf(name), { name, ca: 'ca.pem' });
    expect(await verdict('example.org')).toBe('OK');
    expect(await verdict('x.apps.example.net')).toBe('OK');
    for (const name of ['google.com', 'example.net', 'evilexample.org', 'database.deta.sh']) {
      expect(await verdict(name)).toMatch(/permitted subtree violation/);
    }
  });

  test('of boxes signs nothing but the names of Deta and of apps', async () => {
    await open({ domains: ['example.org', 'apps.example.net'] });
    const verdict = async (name: string) => opensslVerdict(await forgedLeaf(name, 'sandbox-ca'), { name, ca: 'sandbox-ca.pem' });
    for (const name of ['database.deta.sh', 'drive.deta.sh', 'x.apps.example.net']) expect(await verdict(name)).toBe('OK');
    for (const name of ['deta.sh', 'example.org', 'google.com', 'example.net', 'evilapps.example.net']) expect(await verdict(name)).toMatch(/permitted subtree violation/);
  });

  test('for SDKs elsewhere signs nothing but the two names of Deta', async () => {
    await open();
    const verdict = async (name: string) => opensslVerdict(await forgedLeaf(name, 'deta-ca'), { name, ca: 'deta-ca.pem' });
    expect(await verdict('drive.deta.sh')).toBe('OK');
    for (const name of ['deta.sh', 'localhost', 'example.org']) expect(await verdict(name)).toMatch(/permitted subtree violation/);
  });

  test('is sealed on the disk and readable by the owner only', async () => {
    await open();
    for (const name of ['ca.key', 'deta-ca.key', 'sandbox-ca.key']) {
      const file = join(folder, 'tls', name);
      expect((await stat(file)).mode & 0o777).toBe(0o600);
      const sealed = await readFile(file);
      const plain = vault.unseal(`tls/${name.slice(0, -4)}`, sealed);
      expect(sealed.includes(plain.subarray(-32))).toBe(false);
      expect(() => vault.unseal('tls/other', sealed)).toThrow();
    }
  });
});

describe('over time', () => {
  test('a restart keeps its authorities', async () => {
    const before = await open();
    const after = await open();
    expect([after.caPem, after.detaCaPem, after.sandboxCaPem]).toEqual([before.caPem, before.detaCaPem, before.sandboxCaPem]);
    const port = await listen(after);
    await handshake(port, { serverName: 'localhost', ca: before.caPem });
  });

  test('a certificate is kept, and renewed before it ends', async () => {
    const clock = createFakeClock(Date.now());
    const tls = await open({ clock });
    const first = await tls.secureContextFor('localhost');
    clock.advance(59 * DAY_MS);
    expect(await tls.secureContextFor('localhost')).toBe(first);
    clock.advance(2 * DAY_MS);
    const [second, same] = await Promise.all([tls.secureContextFor('localhost'), tls.secureContextFor('localhost')]);
    expect(second).not.toBe(first);
    expect(same).toBe(second);
  });

  test('a certificate lives 90 days and an authority ten years', async () => {
    const tls = await open();
    const port = await listen(tls);
    const leaf = await handshake(port, { serverName: 'localhost', ca: tls.caPem });
    expect((Date.parse(leaf.valid_to) - Date.now()) / DAY_MS).toBeCloseTo(90, 1);
    const text = (await run('openssl', ['x509', '-noout', '-enddate', '-in', join(folder, 'tls', 'ca.pem')])).stdout;
    expect((Date.parse(text.replace('notAfter=', '')) - Date.now()) / DAY_MS).toBeCloseTo(3650, 1);
  });

  test('an authority near its end, or for other names, is replaced and the old certificate kept', async () => {
    const first = await open();
    const other = await open({ domains: ['example.org'] });
    expect(other.caPem).not.toBe(first.caPem);
    expect(other.detaCaPem).toBe(first.detaCaPem);
    const late = await open({ domains: ['example.org'], clock: createFakeClock(Date.now() + 3600 * DAY_MS) });
    expect(late.caPem).not.toBe(other.caPem);
    for (const name of ['ca', 'sandbox-ca']) expect((await readdir(join(folder, 'tls'))).filter((file) => file.startsWith(`${name}.until-`))).toHaveLength(2);
  });

  test('a pair that was half written is made again', async () => {
    const first = await open();
    await rm(join(folder, 'tls', 'ca.pem'));
    const second = await open();
    await writeFile(join(folder, 'tls', 'ca.pem'), first.caPem);
    const third = await open();
    expect(new Set([first.caPem, second.caPem, third.caPem]).size).toBe(3);
    await handshake(await listen(third), { serverName: 'localhost', ca: third.caPem });
  });

  test('a lost host key is told in words, and nothing is replaced', async () => {
    const { caPem } = await open();
    await expect(open({ sealing: createVault(randomBytes(32)) })).rejects.toMatchObject({ code: 'TLS_CA_UNREADABLE' });
    expect(await readFile(join(folder, 'tls', 'ca.pem'), 'utf8')).toBe(caPem);
  });
});
