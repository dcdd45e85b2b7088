// Owns which names carry a hash of their content, as build tools write them: such a file never changes. Pure.
// Rather too few than too many: a plain name that is taken for one would stay in browsers for a year.

/** Folders in which a framework keeps nothing else. */
const FRAMEWORK_FOLDER = /(?:^|\/)(?:_next\/static|_app\/immutable)\//;
/** Folders into which bundlers write. */
const BUILD_FOLDER = /(?:^|\/)(?:assets|static|chunks|build|_astro|_nuxt|_assets)\/[^/]+$/;
/** What stands between the last `-` or `.` and the type: `main.9c1a0b2f.chunk.css`. */
const LAST_PART = /[.-](\w{8,64})(?:\.(?:chunk|module|bundle|min))?\.[a-z0-9]{2,5}$/i;
/** A hash of base 64 may hold `-` itself: `index-B8_jv-Ku.js`. */
const LAST_EIGHT = /[.-]([\w-]{8})\.[a-z0-9]{2,5}$/i;
const WHOLE_NAME = /(?:^|\/)(\w{8,64})\.(?:js|mjs|css|wasm)$/;
/** Webpack, Parcel, Next. */
const HEX = /^(?=.*\d)(?=.*[a-f])[0-9a-f]{8,64}$/;
/** esbuild, Angular. */
const BASE_32 = /^(?=.*\d)(?=.*[A-Z])[A-Z2-7]{8}$/;
/** Vite, Rollup, Nuxt. */
const BASE_64 = /^(?=.*\d)(?=.*[a-z])(?=.*[A-Z])[\w-]{8}$/;
/** Words, dates and versions are of one kind of character for a while; a hash changes all the time. */
const CHANGES_MIN = 3;

export function hasHashInName(path: string): boolean {
  if (FRAMEWORK_FOLDER.test(path)) return true;
  const part = LAST_PART.exec(path)?.[1] ?? '';
  if (HEX.test(part) || HEX.test(WHOLE_NAME.exec(path)?.[1] ?? '')) return true;
  if (BASE_32.test(part) && changesOf(part) >= CHANGES_MIN) return true;
  const eight = LAST_EIGHT.exec(path)?.[1] ?? '';
  return BUILD_FOLDER.test(path) && BASE_64.test(eight) && changesOf(eight) >= CHANGES_MIN;
}

/** How often a character is of another kind than the one before: lower case, upper case, digit, other. */
function changesOf(part: string): number {
  const kinds = [...part].map((character) => (/[a-z]/.test(character) ? 'a' : /[A-Z]/.test(character) ? 'A' : /\d/.test(character) ? '0' : '-'));
  return kinds.filter((kind, index) => index > 0 && kind !== kinds[index - 1]).length;
}
