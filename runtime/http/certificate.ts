// Owns how certificates are made: authorities constrained to a few names, and the certificates that they sign.
// Knows no files, no cache and no TLS connection.
import 'reflect-metadata'; // what @peculiar/x509 asks for before it is loaded
import { webcrypto } from 'node:crypto';
import { AsnConvert } from '@peculiar/asn1-schema';
import { GeneralName, GeneralSubtree, GeneralSubtrees, NameConstraints, id_ce_nameConstraints } from '@peculiar/asn1-x509';
import * as x509 from '@peculiar/x509';

const DAY_MS = 86_400_000;
/** Clocks of people's machines differ from ours: everything is valid a day earlier. */
const BACKDATE_MS = DAY_MS;
const AUTHORITY_VALID_MS = 3650 * DAY_MS;
export const LEAF_VALID_MS = 90 * DAY_MS;

const KEY_KIND = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const SIGNATURE = { name: 'ECDSA', hash: 'SHA-256' } as const;
/** Server authentication. In the authority too: programs refuse its certificates for anything else. */
const USAGE = [x509.ExtendedKeyUsage.serverAuth];

type KeyPair = webcrypto.CryptoKeyPair;

export interface Authority {
  certificatePem: string;
  /** PKCS #8. Whoever has it can pose as any name that the authority may sign. */
  keyDer: Uint8Array;
}

/** A ready authority: signs, but does not show its key. */
export interface Signer {
  certificate: x509.X509Certificate;
  key: webcrypto.CryptoKey;
}

export interface Leaf { certificatePem: string; keyPem: string; expiresAtMs: number }

/** @param names the authority may sign these names and all names below them, and nothing else */
export async function makeAuthority(title: string, names: readonly string[], nowMs: number): Promise<Authority> {
  const keys = await makeKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: [{ O: ['Ownspace'] }, { CN: [title] }],
    notBefore: new Date(nowMs - BACKDATE_MS),
    notAfter: new Date(nowMs + AUTHORITY_VALID_MS),
    signingAlgorithm: SIGNATURE,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      new x509.ExtendedKeyUsageExtension(USAGE),
      nameConstraints(names),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false),
    ],
  });
  return {
    certificatePem: `${certificate.toString('pem')}\n`,
    keyDer: new Uint8Array(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)),
  };
}

/** @returns undefined when key and certificate do not belong together */
export async function openAuthority({ certificatePem, keyDer }: Authority): Promise<Signer | undefined> {
  const certificate = new x509.X509Certificate(certificatePem);
  const key = await webcrypto.subtle.importKey('pkcs8', keyDer, KEY_KIND, false, ['sign']);
  const sample = new Uint8Array(32);
  const proof = await webcrypto.subtle.sign(SIGNATURE, key, sample);
  const publicKey = await certificate.publicKey.export(KEY_KIND, ['verify']);
  return (await webcrypto.subtle.verify(SIGNATURE, publicKey as webcrypto.CryptoKey, proof, sample)) ? { certificate, key } : undefined;
}

/** The names that an authority may sign, sorted; empty when it is not constrained. */
export function constrainedNames(certificate: x509.X509Certificate): string[] {
  const extension = certificate.getExtension(id_ce_nameConstraints);
  if (!extension) return [];
  const permitted = AsnConvert.parse(extension.value, NameConstraints).permittedSubtrees ?? new GeneralSubtrees();
  return [...permitted].map((subtree) => subtree.base.dNSName).filter((name) => name !== undefined).toSorted();
}

/** A certificate for exactly `hostName`. The caller checks that the signer may sign it. */
export async function makeLeaf(signer: Signer, hostName: string, nowMs: number): Promise<Leaf> {
  const keys = await makeKeys();
  // A certificate that outlives its authority is refused by programs that look at the dates of both.
  const expiresAtMs = Math.min(nowMs + LEAF_VALID_MS, signer.certificate.notAfter.getTime());
  const certificate = await x509.X509CertificateGenerator.create({
    subject: [{ CN: [hostName.length <= 64 ? hostName : 'Ownspace'] }],
    issuer: signer.certificate.subjectName,
    notBefore: new Date(nowMs - BACKDATE_MS),
    notAfter: new Date(expiresAtMs),
    signingAlgorithm: SIGNATURE,
    publicKey: keys.publicKey,
    signingKey: signer.key,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(USAGE),
      new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: hostName }]),
      await x509.AuthorityKeyIdentifierExtension.create(signer.certificate.publicKey, false),
    ],
  });
  const keyDer = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return { certificatePem: certificate.toString('pem'), keyPem: x509.PemConverter.encode(keyDer, 'PRIVATE KEY'), expiresAtMs };
}

function makeKeys(): Promise<KeyPair> {
  return webcrypto.subtle.generateKey(KEY_KIND, true, ['sign', 'verify']);
}

/** Critical: a program that does not understand it refuses the authority. Permitting host names says nothing about
 *  addresses and mail, so these are excluded in words (@source RFC 5280, 4.2.1.10). */
function nameConstraints(names: readonly string[]): x509.Extension {
  const subtree = (base: Partial<GeneralName>): GeneralSubtree => new GeneralSubtree({ base: new GeneralName(base) });
  const constraints = new NameConstraints({
    permittedSubtrees: new GeneralSubtrees(names.map((dNSName) => subtree({ dNSName }))),
    excludedSubtrees: new GeneralSubtrees([
      subtree({ iPAddress: '0.0.0.0/0.0.0.0' }),
      subtree({ iPAddress: '0:0:0:0:0:0:0:0/0:0:0:0:0:0:0:0' }),
    ]),
  });
  return new x509.Extension(id_ce_nameConstraints, true, AsnConvert.serialize(constraints));
}
