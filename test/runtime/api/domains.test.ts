// Owns the proof that a custom domain leads to the app of whoever has proven it, with a certificate of its own, and to nobody
// else: real DNS questions, a real handshake.
import { readFile } from 'node:fs/promises';
import { once } from 'node:events';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { WireDomain, WireInstance } from '../../../core/wire.ts';
import { checkDomain, shownDomain } from '../../../runtime/instance/domain-name.ts';
import { startDnsServer, type DnsServer } from '../../support/dns-server.ts';
import { send, type TestResponse } from '../../support/http.ts';
import { codeOf } from '../../support/identity.ts';
import { pushApp, startTestHost, until, type Person, type TestHost } from '../../support/start-host.ts';

const SPACEFILE = 'v: 0\nmicros:\n  - {name: web, src: ., engine: isolate, primary: true, public_routes: [/open, /self]}\n';
const CODE = `export default async (request) => {
  const url = new URL(request.url);
  if (url.pathname === '/self') return Response.json({ status: await fetch('http://' + url.host + '/open').then(({ status }) => status, ({ message }) => message) });
  return new Response(url.host + ' ' + url.pathname);
};`;
const DAY_MS = 86_400_000;

let dns: DnsServer;
let space: TestHost;
let adas: WireInstance;
let bobs: WireInstance;

beforeAll(async () => {
  dns = await startDnsServer();
  space = await startTestHost({ args: ['--domain', 'space.example', '--apps-domain', 'apps.example', '--tls-port', '0'], env: { OWNSPACE_DNS: dns.address } });
  const files = { Spacefile: SPACEFILE, 'index.js': CODE };
  [{ builder: adas }, { builder: bobs }] = await Promise.all([pushApp(space.owner, { name: 'adas', files }), pushApp(space.member, { name: 'bobs', files })]);
}, 60_000);
afterAll(async () => {
  await space?.close();
  await dns?.close();
});

const at = (host: string, path = '/open'): Promise<TestResponse> => send(`http://${host}:${space.port}${path}`);
const claim = (person: Person, { id }: WireInstance, domain: string): Promise<TestResponse> => person.call(`POST /instances/${id}/domains`, { domain });
const verify = (person: Person, { id }: WireInstance, domain: string): Promise<TestResponse> => person.call(`POST /instances/${id}/domains/${domain}/verify`);
const remove = (person: Person, { id }: WireInstance, domain: string): Promise<TestResponse> => person.call(`DELETE /instances/${id}/domains/${domain}`);
async function bring(person: Person, instance: WireInstance, domain: string): Promise<TestResponse> {
  const { txt, domain: name } = (await claim(person, instance, domain)).json<WireDomain>();
  dns.records.set(txt.name, [txt.value]);
  return verify(person, instance, name);
}
async function certificateOf(name: string, ca?: string): Promise<string> {
  const socket = connect({ port: Number(new URL(space.host.tlsUrl ?? '').port), host: '127.0.0.1', servername: name, ...(ca === undefined ? { rejectUnauthorized: false } : { ca }) });
  try {
    await once(socket, 'secureConnect');
    return socket.getPeerCertificate().subjectaltname ?? '';
  } finally {
    socket.destroy();
  }
}

test('a domain leads nowhere until its TXT record is found; what is wrong is said', async () => {
  const claimed = (await claim(space.owner, adas, 'Notes.Example.NET.')).json<WireDomain>();
  expect(claimed).toMatchObject({ domain: 'notes.example.net', status: 'pending', txt: { name: '_ownspace.notes.example.net', value: expect.stringMatching(/^ownspace=\w{32}$/) }, verified_at: null });
  const missing = await verify(space.owner, adas, 'notes.example.net');
  expect([missing.status, missing.json().code, missing.json().detail]).toEqual([409, 'DOMAIN_UNPROVEN', expect.stringContaining('is not there')]);
  dns.records.set(claimed.txt.name, ['v=spf1 -all', `${claimed.txt.value}x`]);
  expect((await verify(space.owner, adas, 'notes.example.net')).json().detail).toContain('is "v=spf1 -all"');
  expect((await at('notes.example.net')).status).toBe(404);
  await expect(certificateOf('notes.example.net')).rejects.toThrow();
  dns.records.set(claimed.txt.name, ['v=spf1 -all', 'x'.repeat(300), claimed.txt.value]);
  expect((await verify(space.owner, adas, 'notes.example.net')).json()).toMatchObject({ status: 'active' });
  expect((await at('notes.example.net')).text).toBe(`notes.example.net:${space.port} /open`);
  expect((await at('notes.example.net.')).status).toBe(200);
});

test('it has a certificate under an authority for this very name', async () => {
  const ca = await readFile(join(space.dataFolder, 'tls', 'domains', 'notes.example.net.pem'), 'utf8').catch(() => '');
  expect(ca === '' ? await certificateOf('notes.example.net') : 'there before anybody asked').toBe('DNS:notes.example.net');
  const made = await readFile(join(space.dataFolder, 'tls', 'domains', 'notes.example.net.pem'), 'utf8');
  expect(await certificateOf('notes.example.net', made)).toBe('DNS:notes.example.net');
  // That of the host itself is for the host's names.
  await expect(certificateOf('notes.example.net', await readFile(join(space.dataFolder, 'tls', 'ca.pem'), 'utf8'))).rejects.toThrow();
  await expect(certificateOf('other.example.net')).rejects.toThrow();
});

test('its owner is signed in there on the way of all apps, after a step that forms may take', async () => {
  const { visitor } = space.owner;
  const landed = await visitor.visit(`http://notes.example.net:${space.port}/private`);
  expect([landed.text, landed.url]).toEqual([`notes.example.net:${space.port} /private`, `http://notes.example.net:${space.port}/private`]);
  expect((await at('notes.example.net', '/private')).status).toBe(401);
  const refused = await space.member.visitor.visit(`http://notes.example.net:${space.port}/private`);
  expect(refused.status).toBe(403);
  const form = await space.member.visitor.submit(`${space.url}/login`, { username: 'ada', password: 'correct horse', redirect_uri: `http://notes.example.net:${space.port}/private` });
  expect(form.text).toMatch(/<meta http-equiv="refresh" content="0;url=\/login\?redirect_uri=/);
  await space.member.visitor.submit(`${space.url}/login`, { username: 'bob', password: 'correct horse' });
});

test('the app reaches itself there without leaving the host', async () => {
  expect((await at('notes.example.net', '/self')).json()).toEqual({ status: 200 });
});

describe('what nobody gets (attacks E19, E20)', () => {
  test.each([
    'space.example', 'x.space.example', 'apps.example', 'adas.apps.example', 'database.space.example', 'example', '*.example.net', '*', 'localhost', 'a.localhost', 'printer.local', '127.0.0.1', '[::1]', '10.0.0.1', '2130706433', '0x7f.1', 'database.deta.sh', 'deta.sh',
    'a..b.example', '-a.example.net', 'a-.example.net', 'a_b.example.net', 'http://a.example.net', 'a.example.net:80', 'a.example.net/x', 'a b.example.net', '', '.', `${'a'.repeat(64)}.example.net`, `${'a.'.repeat(130)}net`, 'a.example.net\0', 'evil.example.net#.apps.example',
  ])('%j', async (domain) => {
    const answer = await claim(space.owner, adas, domain);
    expect([answer.status, ['DOMAIN_INVALID', 'INVALID_FIELD'].includes(answer.json().code)], answer.text).toEqual([400, true]);
  });

  test('a name above the host, which could set cookies for it', async () => {
    expect(await codeOf((async () => checkDomain('example.org', ['space.example.org']))())).toBe('DOMAIN_INVALID');
    // What takes its time with every letter is not begun.
    const letters = Array.from({ length: 300_000 }, (_, at) => String.fromCodePoint(0x4e00 + (at % 20_000))).join('');
    expect(() => checkDomain(letters, [])).toThrow(/too long/);
    expect(checkDomain('other.example.org', ['space.example.org'])).toBe('other.example.org');
  });

  test('other scripts are kept in their ASCII form, and shown so where they look like another', async () => {
    expect((await claim(space.owner, adas, 'Bücher.example')).json()).toMatchObject({ domain: 'xn--bcher-kva.example', shown: 'bücher.example' });
    expect(shownDomain('xn--80ak6aa92e.com')).toBe('xn--80ak6aa92e.com');
    await remove(space.owner, adas, 'xn--bcher-kva.example');
  });

  test('what another app has already, with a proof neither; a claim alone keeps nobody off', async () => {
    const { txt } = (await claim(space.member, bobs, 'notes.example.net')).json<WireDomain>();
    const theirs = dns.records.get(txt.name) ?? [];
    dns.records.set(txt.name, [...theirs, txt.value]);
    expect((await verify(space.member, bobs, 'notes.example.net')).json().code).toBe('DOMAIN_TAKEN');
    dns.records.set(txt.name, theirs);
    await remove(space.member, bobs, 'notes.example.net');
    await claim(space.owner, adas, 'shared.example.net');
    expect((await bring(space.member, bobs, 'shared.example.net')).json()).toMatchObject({ status: 'active' });
    const late = await verify(space.owner, adas, 'shared.example.net');
    expect([late.status, late.json().code]).toEqual([409, 'DOMAIN_UNPROVEN']);
    expect((await at('shared.example.net')).status).toBe(200);
    await remove(space.owner, adas, 'shared.example.net');
    expect((await at('shared.example.net')).status, 'another\'s removal changes nothing').toBe(200);
  });

  test('the proof of one app is none for another', async () => {
    const { txt } = (await claim(space.owner, adas, 'mine.example.net')).json<WireDomain>();
    dns.records.set(txt.name, [txt.value]);
    await claim(space.member, bobs, 'mine.example.net');
    expect((await verify(space.member, bobs, 'mine.example.net')).json().code).toBe('DOMAIN_UNPROVEN');
    for (const call of [verify, remove]) expect((await call(space.member, adas, 'mine.example.net')).status).toBe(404);
  });

  test('more than ten', async () => {
    const codes: (string | undefined)[] = [];
    for (let count = 0; count < 12; count += 1) codes.push((await claim(space.member, bobs, `n${count}.example.net`)).json().code);
    expect(codes.at(-1)).toBe('COUNT_LIMIT');
  });
});

test('a name that was removed leads to nobody at once, rests for others, and not for whoever had it', async () => {
  await bring(space.owner, adas, 'rest.example.net');
  expect((await at('rest.example.net')).status).toBe(200);
  expect((await remove(space.owner, adas, 'rest.example.net')).status).toBe(200);
  expect((await at('rest.example.net')).status).toBe(404);
  await expect(certificateOf('rest.example.net')).rejects.toThrow();
  const { builder: another } = await pushApp(space.member, { name: 'another' });
  const early = await claim(space.member, another, 'rest.example.net');
  expect([early.status, early.json().code]).toEqual([409, 'DOMAIN_COOLING']);
  expect((await bring(space.owner, adas, 'rest.example.net')).json()).toMatchObject({ status: 'active' });
  await remove(space.owner, adas, 'rest.example.net');
  space.clock.advance(7 * DAY_MS + 1000);
  await space.member.visitor.submit(`${space.url}/login`, { username: 'bob', password: 'correct horse' });
  expect((await bring(space.member, another, 'rest.example.net')).json()).toMatchObject({ status: 'active' });
});

test('a domain whose owner changed changes hands: who can prove it now has the one before looked at, and gets it after the rest', async () => {
  const { builder: another } = await pushApp(space.member, { name: 'heirs' });
  await bring(space.owner, adas, 'heir.example.net');
  expect((await at('heir.example.net')).status).toBe(200);
  expect((await bring(space.member, another, 'heir.example.net')).json().code).toBe('DOMAIN_COOLING');
  expect((await at('heir.example.net')).status).toBe(404);
  const shown = (await space.owner.call(`GET /instances/${adas.id}/domains`)).json<{ domains: WireDomain[] }>().domains.find(({ domain }) => domain === 'heir.example.net');
  expect(shown).toMatchObject({ status: 'pending', problem: expect.stringContaining('was gone') });
  expect((await space.owner.visitor.visit(`${space.url}/apps/${adas.id}/settings`)).text).toContain('It leads nowhere since');
  expect((await space.owner.call(`GET /instances/${adas.id}/logs`)).text).toContain('leads to this app no more');
});

test('a DNS server that fails is told from a missing record', async () => {
  await claim(space.owner, adas, 'silent.example.net');
  dns.isFailing = true;
  const answer = await verify(space.owner, adas, 'silent.example.net');
  dns.isFailing = false;
  expect([answer.status, answer.json().code]).toEqual([503, 'DNS_FAILED']);
});

test('it goes with its app', async () => {
  const { builder } = await pushApp(space.owner, { name: 'leaving', files: { Spacefile: SPACEFILE, 'index.js': CODE } });
  await bring(space.owner, builder, 'leaving.example.net');
  expect((await at('leaving.example.net')).status).toBe(200);
  await space.owner.call(`DELETE /instances/${builder.id}?data=keep`);
  await until(async () => ((await at('leaving.example.net')).status === 404 ? true : undefined));
  await until(async () => ((await claim(space.member, bobs, 'leaving.example.net')).json().code === 'DOMAIN_COOLING' ? true : undefined));
});

test('the forms of the page do the same', async () => {
  const url = `${space.url}/apps/${adas.id}/domains`;
  const added = await space.owner.visitor.submit(url, { domain: 'form.example.net' });
  expect(added.text).toMatch(/form\.example\.net[\s\S]*TXT record/);
  expect((await space.owner.visitor.submit(`${url}/verify`, { domain: 'form.example.net' })).text).toContain('is not proven to be yours');
  await space.owner.visitor.submit(`${url}/remove`, { domain: 'form.example.net' });
  expect((await space.owner.call(`GET /instances/${adas.id}/domains`)).text).not.toContain('form.example.net');
});
