// Owns which file of a static Micro answers an address. Exact names only: nothing of a path ever reaches a disk.
import mime from 'mime';
import type { MicroSpec } from '../engine.ts';

const INDEX = 'index.html';
/** For addresses that an app makes up in the browser, the first that is there. */
const APP_PAGES = ['200.html', INDEX];
const MISSING_PAGE = '404.html';

const REMEMBERED = 5000;

/** A file with its status; the same address with or without its last slash; or nothing. */
export type Place = { path: string; status: 200 | 404; /** Only people who go there see it. */ isForPeople?: boolean } | { redirect: string };

export interface Site {
  /** @param pathname normalised, without the Micro's prefix @param isVisit a person goes there, so that the answer is seen as a page */
  find(pathname: string, isVisit: boolean): Place | undefined;
}

const sites = new WeakMap<MicroSpec['files'], Site>();

export function siteOf(files: MicroSpec['files']): Site {
  let site = sites.get(files);
  if (!site) {
    site = createSite(files);
    sites.set(files, site);
  }
  return site;
}

function createSite(files: MicroSpec['files']): Site {
  const has = (path: string): boolean => Object.hasOwn(files, path);
  const appPage = APP_PAGES.find(has);
  const missing: Place | undefined = has(MISSING_PAGE) ? { path: MISSING_PAGE, status: 404, isForPeople: true } : undefined;
  // Who brings a page for what is missing says itself what is missing, unless there is a page for that as well.
  const madeUp: Place | undefined = appPage === undefined || (missing && appPage === INDEX) ? missing : { path: appPage, status: 200, isForPeople: true };
  /** What was found lately, as it was asked for. */
  const known = new Map<string, Place>();

  function remembered(pathname: string, path: string): Place {
    const place: Place = { path, status: 200 };
    // One name has many spellings.
    if (known.size >= REMEMBERED) known.clear();
    known.set(pathname, place);
    return place;
  }

  return {
    find(pathname, isVisit) {
      const found = known.get(pathname);
      if (found) return found;
      const path = plainPath(pathname);
      if (path !== undefined) {
        if (path !== '' && has(path)) return remembered(pathname, path);
        if (path === '' || path.endsWith('/')) {
          if (has(path + INDEX)) return remembered(pathname, path + INDEX);
        } else {
          // Links of a folder's page count from the folder.
          if (has(`${path}/${INDEX}`)) return { redirect: `./${pathname.slice(pathname.lastIndexOf('/') + 1)}/` };
          if (has(`${path}.html`)) return remembered(pathname, `${path}.html`);
        }
      }
      if (!isVisit || isHidden(pathname)) return undefined;
      return typeOf(path ?? pathname) === null ? madeUp : missing;
    },
  };
}

/** The name of a file as the package has it; undefined for what can be none: an encoded separator, NUL, what is no UTF-8,
 *  and everything that is hidden. */
function plainPath(pathname: string): string | undefined {
  if (/%(?:2f|5c|00)|[\\\0]/i.test(pathname) || isHidden(pathname)) return undefined;
  try {
    return decodeURIComponent(pathname).replace(/^\/+/, '');
  } catch {
    return undefined;
  }
}

/** A segment that begins with a dot, however it is written; `.well-known` is there to be found. What is no UTF-8 hides something. */
function isHidden(pathname: string): boolean {
  try {
    return /(?:^|[/\\])\.(?!well-known(?:\/|$))/i.test(decodeURIComponent(pathname));
  } catch {
    return true;
  }
}

/** By the last segment's extension. The slash tells the library that this is a path: `pages` alone would be one. */
export function typeOf(path: string): string | null {
  return mime.getType(`/${path}`);
}
