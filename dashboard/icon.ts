// Owns the pictures that we draw ourselves: our mark, small symbols, and the icon of an app without one.
// Pure: text in, SVG text out.
import { html, type Markup } from './markup.ts';

/** Start and end of a gradient, dark enough for white letters. */
const SKIES: readonly (readonly [string, string])[] = [
  ['#5b6cf0', '#8a3fd6'], ['#0e93a6', '#2456c9'], ['#e0518d', '#7d3bd0'], ['#e56a35', '#b52d73'],
  ['#22935a', '#0f6f8f'], ['#4460c9', '#1b2360'], ['#cf7a1f', '#a83a52'], ['#64901c', '#14775a'],
  ['#8f5be0', '#3147b8'], ['#d9475a', '#6b2aa0'], ['#2b8ad6', '#0e4f86'], ['#b04fb8', '#4a45b0'],
];

/** What may stand in an icon: a control character would not even be valid in SVG. */
const SHOWABLE = /^[\p{L}\p{N}\p{Extended_Pictographic}]/u;
const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** A square icon for an app without one: its initial before a sky of its own. The same name gives the same icon.
 *  @returns SVG text, 96 x 96 units, without a script, a style or a reference to anything outside */
export function generatedIcon(name: string): string {
  return String(iconMarkup(name));
}

/** The icon of an app in a page: its own picture, or a generated one. Decoration: the name stands beside it. */
export function appIcon(icon: { name: string; iconUrl?: string }, path: string | undefined): Markup {
  if (path === undefined) return html`<span class="icon">${iconMarkup(icon.name)}</span>`;
  return html`<span class="icon"><img src="${path}" alt="" width="96" height="96"></span>`;
}

function iconMarkup(name: string): Markup {
  const seed = hash(name);
  const [from, to] = SKIES[seed % SKIES.length]!;
  const id = `sky-${seed.toString(36)}`;
  const turn = (seed >>> 8) % 360;
  return html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 96" aria-hidden="true" focusable="false"><defs><linearGradient id="${id}" x1="0" y1="0" x2="1" y2="1"><stop offset="0" stop-color="${from}"/><stop offset="1" stop-color="${to}"/></linearGradient></defs><rect width="96" height="96" rx="22" fill="url(#${id})"/><g fill="none" stroke="#fff" transform="rotate(${turn} 48 48)"><circle cx="48" cy="48" r="36" stroke-opacity=".28" stroke-width="1.5"/><circle cx="84" cy="48" r="4" fill="#fff" fill-opacity=".75" stroke="none"/></g><text x="48" y="49" fill="#fff" font-family="ui-rounded,system-ui,sans-serif" font-size="40" font-weight="600" text-anchor="middle" dominant-baseline="central">${initial(name)}</text></svg>`;
}

function initial(name: string): string {
  for (const { segment } of graphemes.segment(name)) {
    if (SHOWABLE.test(segment)) return segment.toUpperCase();
  }
  return '·';
}

/** FNV-1a, 32 bits: spreads short names well. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) value = Math.imul(value ^ byte, 0x01000193) >>> 0;
  return value;
}

/** Our mark: a planet, its orbit, and you. */
export const mark = html`<svg class="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false"><circle cx="16" cy="16" r="6.5" fill="currentColor"/><ellipse cx="16" cy="16" rx="14" ry="8.5" fill="none" stroke="currentColor" stroke-width="2" transform="rotate(-28 16 16)"/><circle class="mark-moon" cx="27.6" cy="7.4" r="3.4"/></svg>`;

const symbol = (shape: Markup) =>
  html`<svg class="symbol" viewBox="0 0 20 20" aria-hidden="true" focusable="false" fill="none" stroke="currentColor" stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round">${shape}</svg>`;

export const SYMBOLS = {
  more: symbol(html`<path d="M4 10h.01M10 10h.01M16 10h.01" stroke-width="2.75"/>`),
  arrow: symbol(html`<path d="M4 10h12M11 5l5 5-5 5"/>`),
  check: symbol(html`<path d="M4 10.5l4 4 8-9"/>`),
  warning: symbol(html`<path d="M10 3L2 17h16L10 3zM10 8.5v4M10 14.8v.01"/>`),
} as const;
