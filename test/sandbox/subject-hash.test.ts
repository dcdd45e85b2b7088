// Owns the proof that OpenSSL looks for our authorities, and for everybody's, where we think it does.
import { execFileSync } from 'node:child_process';
import { rootCertificates } from 'node:tls';
import { expect, test } from 'vitest';
import { makeAuthority } from '../../runtime/http/certificate.ts';
import { subjectHash } from '../../sandbox/subject-hash.ts';

/** Who looks for them. */
const OPENSSL = 'openssl';
const byOpenssl = (pem: string): string => execFileSync(OPENSSL, ['x509', '-noout', '-hash'], { input: pem }).toString().trim();

test.each(['Ownspace sandbox authority for database.deta.sh, 2026-11-28', 'UPPER  and   spaces'])('an authority called "%s"', async (title) => {
  const { certificatePem } = await makeAuthority(title, ['deta.sh'], Date.now());
  expect(subjectHash(certificatePem)).toBe(byOpenssl(certificatePem));
});

test('public authorities whose names are as simple', () => {
  const known = rootCertificates.map((pem) => [pem, subjectHash(pem)] as const).filter(([, hash]) => hash !== undefined).slice(0, 10);
  expect(known).toHaveLength(10);
  expect(known.map(([, hash]) => hash)).toEqual(known.map(([pem]) => byOpenssl(pem)));
});
