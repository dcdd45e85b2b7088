// Owns which first labels of host names Instances may have. Pure.
import { SpaceError } from '../../core/errors.ts';

/** Labels that no Instance gets (@source contract, "Instances"): the host's own, and those that programs trust blindly. */
export const RESERVED_LABELS: ReadonlySet<string> = new Set([
  'database', 'drive', 'api', 'www', 'admin', 'auth', 'login', 'status', 'mail', 'base', 'app', 'apps', 'dashboard',
  'space', 'ownspace', 'static', 'assets', 'cdn', 'docs', 'help', 'support', 'security', 'root', 'host', 'localhost',
  'ftp', 'smtp', 'imap', 'pop', 'ns', 'ns1', 'ns2', 'mx', 'webmail', 'autoconfig', 'autodiscover', 'wpad', 'isatap',
]);

export const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const LABEL_MIN = 3;

/** One that a person chose. @throws LABEL_INVALID */
export function checkLabel(label: string): string {
  const problem = problemOf(label);
  if (problem !== undefined) throw new SpaceError('LABEL_INVALID', { label: label.slice(0, 70), reason: problem });
  return label;
}

function problemOf(label: string): string | undefined {
  if (!LABEL.test(label)) return 'it begins and ends with a letter or a digit, and has hyphens between them at most';
  if (label.length < LABEL_MIN) return 'it is too short';
  if (RESERVED_LABELS.has(label)) return 'it is reserved';
  // `xn--` is how letters of other scripts are written, some of which look like Latin ones (attack E20).
  return label.slice(2, 4) === '--' ? 'two hyphens there are how letters of other scripts are written' : undefined;
}
