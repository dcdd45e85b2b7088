// Owns which hosts a build may reach: package registries by name, and whatever the owner of the host names besides. The
// names are the owner's choice, so their addresses are not judged: a mirror may stand in a private network.
import { lookup } from 'node:dns/promises';
import { SpaceError } from '../../core/errors.ts';

/** npm and yarn, jsr, PyPI, Go, Rust. */
const REGISTRIES = [
  'registry.npmjs.org', 'registry.yarnpkg.com', 'repo.yarnpkg.com', 'npm.jsr.io', 'jsr.io', 'pypi.org', 'files.pythonhosted.org',
  'proxy.golang.org', 'sum.golang.org', 'index.crates.io', 'static.crates.io', 'crates.io',
];
/** Variables of package managers that name a registry. */
const REGISTRY_VARIABLES = ['npm_config_registry', 'PIP_INDEX_URL', 'PIP_EXTRA_INDEX_URL', 'GOPROXY', 'YARN_NPM_REGISTRY_SERVER'];
const HTTPS_PORT = 443;

export interface Registries {
  /** Names, with a port where it is not the one of https. */
  names: readonly string[];
  /** @throws EGRESS_BLOCKED, EGRESS_FAILED */
  resolve(hostname: string, port: number): Promise<{ address: string; port: number }>;
}

/** @param more names that the owner of the host adds: `host` or `host:port` */
export function registriesOf(toolEnv: Readonly<Record<string, string>>, more: readonly string[]): Registries {
  const configured = REGISTRY_VARIABLES.flatMap((name) => (toolEnv[name] ?? '').split(/[\s,|]+/)).flatMap((text) => (URL.canParse(text) && new URL(text).host !== '' ? [new URL(text).host] : []));
  const names = [...new Set([...REGISTRIES, ...configured, ...more].map((name) => name.toLowerCase()))];
  return {
    names,
    async resolve(hostname, port) {
      const target = port === HTTPS_PORT ? hostname : `${hostname}:${port}`;
      if (!names.includes(target)) throw new SpaceError('EGRESS_BLOCKED', { target, reason: 'a build reaches package registries only' });
      const found = await lookup(hostname).catch(() => undefined);
      if (!found) throw new SpaceError('EGRESS_FAILED', { target, reason: 'its name cannot be resolved' });
      return { address: found.address, port };
    },
  };
}
