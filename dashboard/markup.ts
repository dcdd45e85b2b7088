// Owns what every page needs to write values safely: template tag, addresses, path segments, instants.
// Knows no page and no view.
import { html } from 'hono/html';

export { html };

/** A piece of escaped HTML. */
export type Markup = ReturnType<typeof html>;

const OWN_PATH = /^\/(?![/\\])[^\s\\\p{Cc}]*$/u;

/** A path on this very origin, or undefined. Never leads to another host, however it is written. */
export function ownPath(text: string | undefined): string | undefined {
  return text !== undefined && OWN_PATH.test(text) ? text : undefined;
}

/** An address that may stand in a link: a path of ours, or http(s). Everything else (`javascript:`, `data:`) is undefined. */
export function webUrl(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  if (OWN_PATH.test(text)) return text;
  const url = URL.parse(text);
  return url !== null && (url.protocol === 'http:' || url.protocol === 'https:') ? url.href : undefined;
}

/** The address at which an app opens with its person signed in, also when its first page is public and asks for nobody. */
export function openUrl(appUrl: string): string | undefined {
  const url = webUrl(appUrl);
  return url === undefined ? undefined : `${url}__space/auth`;
}

/** Path template: `path`/apps/${id}/logs`` with each value as one encoded segment. */
export function path(strings: TemplateStringsArray, ...segments: string[]): string {
  return String.raw({ raw: strings }, ...segments.map((segment) => encodeURIComponent(segment.toWellFormed())));
}

const DAY = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeZone: 'UTC' });
const SECOND = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium', timeZone: 'UTC' });

/** An ISO instant as a day that people read. Text that is no instant is shown as it is. */
export function day(iso: string): Markup {
  return instant(iso, DAY, '');
}

/** An ISO instant to the second, in UTC: the server cannot know the reader's zone. */
export function second(iso: string): Markup {
  return instant(iso, SECOND, ' UTC');
}

function instant(iso: string, format: Intl.DateTimeFormat, zone: string): Markup {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return html`${iso}`;
  return html`<time datetime="${date.toISOString()}">${format.format(date)}${zone}</time>`;
}
