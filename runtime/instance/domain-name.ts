// Owns which names can be custom domains of Instances, in which form they are kept, and how they are proven. Pure.
import { isIP } from 'node:net';
import { domainToASCII, domainToUnicode } from 'node:url';
import { SpaceError } from '../../core/errors.ts';

const NAME = /^(?=.{1,240}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
/** What DNS allows, and room for what is trimmed. */
const NAME_MAX_CHARACTERS = 260;
/** Names that no DNS of the internet has, or that mean this machine or its network. @source RFC 6761, RFC 6762, RFC 9476 */
const SPECIAL = ['localhost', 'local', 'internal', 'invalid', 'onion', 'arpa', 'alt', 'home', 'lan', 'corp'];
/** Old apps and SDKs trust these names. */
const DETA = 'deta.sh';

/** @param own domains of the host: they, what is below them, and what is above them is not for apps (attack E19)
 *  @returns its ASCII form in lower case  @throws DOMAIN_INVALID */
export function checkDomain(text: string, own: readonly string[]): string {
  const refuse = (reason: string): never => { throw new SpaceError('DOMAIN_INVALID', { domain: text.slice(0, 100), reason }); };
  // Before anything that takes its time.
  if (text.length > NAME_MAX_CHARACTERS) return refuse('it is too long');
  const typed = text.trim().toLowerCase().replace(/\.$/, '');
  if (typed.includes('*')) return refuse('a wildcard is not one name');
  if (/[\s/:@?#%\\]/.test(typed)) return refuse('write the name alone, without scheme, port and path');
  const name = /[^\x20-\x7e]/.test(typed) ? domainToASCII(typed) : typed;
  if (isIP(name)) return refuse('an address is no name');
  if (!NAME.test(name) || domainToASCII(name) !== name) return refuse('it is no name of the internet, such as notes.example.org');
  if (SPECIAL.includes(name.slice(name.lastIndexOf('.') + 1))) return refuse('such names are not known outside of one network');
  if ([...own, DETA].some((domain) => isWithin(name, domain))) return refuse('it is the platform\'s own');
  // A page above the dashboard could set cookies for it.
  if (own.some((domain) => isWithin(domain, name))) return refuse('the platform itself lives below it');
  return name;
}

/** As people read it. What mixes scripts to look like another name stays in its ASCII form. */
export function shownDomain(name: string): string {
  const shown = domainToUnicode(name);
  return /^[\p{Script=Latin}\p{N}.-]+$/u.test(shown) ? shown : name;
}

export function proofName(domain: string): string {
  return `_ownspace.${domain}`;
}

const isWithin = (name: string, domain: string): boolean => name === domain || name.endsWith(`.${domain}`);
