// Owns the name under which OpenSSL looks for an authority in a folder of authorities: a hash of its subject. Pure.
import { createHash, X509Certificate } from 'node:crypto';

/** Of the attributes that our own authorities have. */
const OIDS: Readonly<Record<string, number[]>> = { CN: [0x55, 4, 3], O: [0x55, 4, 10], C: [0x55, 4, 6] };
const DER = { sequence: 0x30, set: 0x31, oid: 0x06, utf8: 0x0c };

/** @returns eight hexadecimal digits; undefined for a subject with attributes that are not known here
 *  @source OpenSSL, crypto/x509/x_name.c (x509_name_canon) and x509_cmp.c (X509_NAME_hash_ex) */
export function subjectHash(certificatePem: string): string | undefined {
  const lines = new X509Certificate(certificatePem).subject.replaceAll('\\,', ',').split('\n');
  const attributes = lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)] as const);
  if (attributes.some(([name, value]) => !OIDS[name] || /[^\x20-\x7e]|[\\+"]/.test(value))) return undefined;
  const canonical = Buffer.concat(attributes.map(([name, value]) => attribute(OIDS[name]!, value)));
  return createHash('sha1').update(canonical).digest().readUInt32LE(0).toString(16).padStart(8, '0');
}

function attribute(oid: readonly number[], value: string): Buffer {
  const plain = Buffer.from(value.trim().replaceAll(/\s+/g, ' ').toLowerCase());
  return der(DER.set, der(DER.sequence, Buffer.concat([der(DER.oid, Buffer.from(oid)), der(DER.utf8, plain)])));
}

/** Shorter than 128 bytes, as a subject of ours is. */
function der(tag: number, content: Buffer): Buffer {
  if (content.length > 127) throw new TypeError('the subject is too long');
  return Buffer.concat([Buffer.from([tag, content.length]), content]);
}
