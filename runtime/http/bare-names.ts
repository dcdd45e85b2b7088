// Owns what a program without a box is given so that Deta's SDKs find this host and trust it. There, the names that are built
// into them still belong to somebody on the internet, who must not be handed the keys of old apps.
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { writeDurably } from '../data-folder.ts';

export interface BareFacts {
  domain: string;
  ports: { http: number; tls: number | undefined };
  /** DATA/tls. */
  folder: string;
  caPem: string;
}

/** Variables for SDKs alone: a program that has the names written down by itself finds whoever owns them today. */
export async function bareNames({ domain, ports, folder, caPem }: BareFacts): Promise<Record<string, string>> {
  const bundle = join(folder, 'bundle.pem');
  await writeDurably(bundle, Buffer.from([...rootCertificates, caPem].join('\n')), 0o644);
  // Without TLS the SDKs of Node and Python fail: better than to call somebody else.
  const host = `${domain}:${ports.tls ?? ports.http}`;
  const root = `http://${domain}:${ports.http}/v1`;
  return {
    DETA_BASE_HOST: host, DETA_DRIVE_HOST: host, DETA_BASE_ROOT_ENDPOINT: root, DETA_DRIVE_ROOT_ENDPOINT: root,
    NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem'), SSL_CERT_FILE: bundle, REQUESTS_CA_BUNDLE: bundle,
  };
}
