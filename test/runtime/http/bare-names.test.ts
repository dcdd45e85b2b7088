// Owns the proof that Deta's SDK finds a host by the variables alone that a program without a box gets.
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { X509Certificate } from 'node:crypto';
import { expect, onTestFinished, test } from 'vitest';
import { makeAuthority } from '../../../runtime/http/certificate.ts';
import { bareNames } from '../../../runtime/http/bare-names.ts';

test.each([[4443, 'cloud.test:4443'], [undefined, 'cloud.test:4400']])('a host with the TLS port %s is found, and no name of Deta\'s is called', async (tls, host) => {
  const folder = await mkdtemp(join(tmpdir(), 'bare-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const { certificatePem } = await makeAuthority('Test', ['cloud.test'], Date.now());
  const env = await bareNames({ domain: 'cloud.test', ports: { http: 4400, tls }, folder, caPem: certificatePem });
  expect(env).toMatchObject({ DETA_BASE_HOST: host, DETA_DRIVE_HOST: host, DETA_BASE_ROOT_ENDPOINT: 'http://cloud.test:4400/v1' });
  const bundle = await readFile(env['SSL_CERT_FILE'] ?? '', 'utf8');
  const all = bundle.split(/(?<=-----END CERTIFICATE-----)\n/).filter((pem) => pem.includes('BEGIN'));
  expect(all.length).toBeGreaterThan(100);
  expect(new X509Certificate(all.at(-1)!).subject).toContain('Test');
});
