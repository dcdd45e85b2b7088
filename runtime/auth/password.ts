// Owns how passwords are kept: argon2id, in a text that carries its own parameters.
import { hash, verify } from '@node-rs/argon2';
import { SpaceError } from '../../core/errors.ts';

const MIN_LENGTH = 8;
const MAX_LENGTH = 256;
/** OWASP's first choice for argon2id: 19 MiB, two passes, one lane. */
const PARAMETERS = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

/** @throws PASSWORD_INVALID */
export async function hashPassword(password: unknown): Promise<string> {
  if (typeof password !== 'string' || password.length < MIN_LENGTH || password.length > MAX_LENGTH) {
    throw new SpaceError('PASSWORD_INVALID');
  }
  return hash(password, PARAMETERS);
}

let decoy: Promise<string> | undefined;

/** @param stored undefined when nobody has that name: the same work is done, so that time tells nothing */
export async function passwordMatches(stored: string | undefined, password: string): Promise<boolean> {
  decoy ??= hash('nobody has this password', PARAMETERS);
  const matches = await verify(stored ?? (await decoy), password.slice(0, MAX_LENGTH + 1));
  return stored !== undefined && matches;
}
