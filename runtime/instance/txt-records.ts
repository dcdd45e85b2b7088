// Owns asking the DNS for TXT records. Knows not what they prove.
import { Resolver } from 'node:dns/promises';
import { SpaceError } from '../../core/errors.ts';
import type { ReadTxt } from './domains.ts';

const TIMEOUT_MS = 2500;
const TRIES = 2;
/** Codes of a name that is not there, or has no such record. */
const NONE: readonly string[] = ['ENOTFOUND', 'ENODATA'];

/** @param server as `OWNSPACE_DNS` has it; undefined: those of this machine */
export function createTxtReader(server: string | undefined): ReadTxt {
  return async (name) => {
    // One for each question, so that a server's change counts at once and a late answer disturbs nobody.
    const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: TRIES });
    if (server !== undefined) resolver.setServers([server]);
    try {
      return (await resolver.resolveTxt(name)).map((pieces) => pieces.join(''));
    } catch (error) {
      const { code = 'unknown' } = error as NodeJS.ErrnoException;
      if (NONE.includes(code)) return [];
      throw new SpaceError('DNS_FAILED', { name, reason: code }, { cause: error });
    }
  };
}
