// Owns the frame around every page: head, header with navigation, warning banner, main, footer.
// Knows no page and no route beyond those in the navigation.
import { mark, SYMBOLS } from './icon.ts';
import { html, ownPath, webUrl, type Markup } from './markup.ts';

/** Whoever looks at the page. */
export interface Person { name: string; isOwner: boolean }

/** What the frame needs on every page for signed-in people. */
export interface Chrome {
  person?: Person;
  /** Shown above everything, such as that the host runs without a sandbox. */
  warning?: string;
}

/** Where a page stands in the navigation. */
export type Place = 'apps' | 'discover' | 'tokens' | 'invites' | 'collections' | 'trash' | 'host' | 'none';

export interface Frame extends Chrome {
  title: string;
  body: Markup;
  place?: Place;
  /** `narrow` for one form, `plain` also without navigation. */
  shape?: 'wide' | 'narrow' | 'plain';
  /** Load the page again after so many seconds: progress without JavaScript. */
  refreshSeconds?: number;
  /** Go to this path on the dashboard's host at once. */
  goTo?: string;
  /** Folder of the style sheet. Pages on an Instance's host name use the reserved one. */
  assets?: '/assets' | '/__space/assets';
  /** The dashboard, as seen from here. Only pages on another host name need it. */
  homeUrl?: string;
}

/** A whole HTML document. */
export function layout(frame: Frame): string {
  const assets = frame.assets ?? '/assets';
  return String(html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="same-origin">
${ownPath(frame.goTo) === undefined ? '' : html`<meta http-equiv="refresh" content="0;url=${ownPath(frame.goTo)}">`}
${frame.refreshSeconds === undefined ? '' : html`<meta http-equiv="refresh" content="${frame.refreshSeconds}">`}
<title>${frame.title} · Ownspace</title>
<link rel="icon" href="${assets}/favicon.svg" type="image/svg+xml">
<link rel="stylesheet" href="${assets}/style.css">
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
${frame.warning ? warningBanner(frame.warning) : ''}
${header(frame)}
<main id="main" class="${frame.shape ?? 'wide'}" tabindex="-1">
${settingsPlaces.some((each) => each.place === frame.place) ? settingsTabs(frame) : ''}
${frame.body}
</main>
</body>
</html>
`);
}

function warningBanner(text: string): Markup {
  return html`<aside class="banner" aria-label="Warning">${SYMBOLS.warning}<p>${text}</p></aside>`;
}

function header(frame: Frame): Markup {
  const brand = html`<a class="brand" href="${webUrl(frame.homeUrl) ?? '/'}">${mark}<span>Ownspace</span></a>`;
  if (frame.shape === 'plain') return html`<header class="top">${brand}</header>`;
  if (!frame.person) {
    return html`<header class="top">${brand}<nav aria-label="Main"><ul><li><a href="/login">Sign in</a></li></ul></nav></header>`;
  }
  const inSettings = settingsPlaces.some((each) => each.place === frame.place);
  return html`<header class="top">${brand}
<nav aria-label="Main"><ul>
<li>${navLink('/', 'My apps', frame.place === 'apps')}</li>
<li>${navLink('/discover', 'Discover', frame.place === 'discover')}</li>
<li>${navLink('/tokens', 'Settings', inSettings)}</li>
</ul></nav>
<form class="sign-out" method="post" action="/logout"><span class="person"><bdi>${frame.person.name}</bdi></span>
<button class="quiet" type="submit">Sign out</button></form>
</header>`;
}

const settingsPlaces: readonly { place: Place; url: string; label: string; ownerOnly?: boolean }[] = [
  { place: 'tokens', url: '/tokens', label: 'Access tokens' },
  { place: 'collections', url: '/collections', label: 'Collections' },
  { place: 'trash', url: '/trash', label: 'Trash' },
  { place: 'invites', url: '/invites', label: 'Invitations', ownerOnly: true },
  { place: 'host', url: '/host', label: 'This host', ownerOnly: true },
];

function settingsTabs(frame: Frame): Markup {
  const shown = settingsPlaces.filter((each) => !each.ownerOnly || frame.person?.isOwner);
  return html`<nav class="tabs" aria-label="Settings"><ul>
${shown.map((each) => html`<li>${navLink(each.url, each.label, each.place === frame.place)}</li>`)}
</ul></nav>`;
}

function navLink(url: string, label: string, isHere: boolean): Markup {
  return isHere ? html`<a href="${url}" aria-current="page">${label}</a>` : html`<a href="${url}">${label}</a>`;
}
