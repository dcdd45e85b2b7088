// Owns what may be an icon: the kind of a picture and its size, told from its bytes alone. Knows no Build.
import { disableTypes, imageSize, types } from 'image-size';
import { SpaceError } from '../core/errors.ts';

export type IconType = 'image/png' | 'image/webp' | 'image/jpeg' | 'image/gif';

/** A stored icon: `hash` finds it among the artifacts. */
export interface Icon { hash: string; sizeBytes: number; contentType: IconType; widthPx: number; heightPx: number }

export const ICON_MAX_BYTES = 1024 * 1024;
export const SCREENSHOT_MAX_BYTES = 3 * 1024 * 1024;
const MAX_SIDE_PX = 4096;
const NO_PICTURE = 'its bytes are those of no PNG, WebP, JPEG or GIF';

const KINDS: Record<string, IconType> = { png: 'image/png', webp: 'image/webp', jpg: 'image/jpeg', gif: 'image/gif' };

// The library is only asked about the four kinds that an icon may have.
disableTypes(types.filter((type) => !Object.hasOwn(KINDS, type)));

/** What the picture is, whatever its sender calls it. @throws ICON_INVALID */
export function inspectIcon(bytes: Uint8Array): Omit<Icon, 'hash'> {
  return inspect(bytes, ICON_MAX_BYTES);
}

/** The same for a screenshot. @throws ICON_INVALID */
export function inspectScreenshot(bytes: Uint8Array): Omit<Icon, 'hash'> {
  return inspect(bytes, SCREENSHOT_MAX_BYTES);
}

function inspect(bytes: Uint8Array, maxBytes: number): Omit<Icon, 'hash'> {
  if (bytes.length === 0) throw invalid('it is empty');
  if (bytes.length > maxBytes) throw invalid(`it has ${bytes.length} bytes, the limit is ${maxBytes}`);
  const { type, width, height } = measure(bytes);
  const contentType = KINDS[type ?? ''];
  if (!contentType) throw invalid(NO_PICTURE);
  if (!(width > 0 && height > 0)) throw invalid('it has no area');
  if (Math.max(width, height) > MAX_SIDE_PX) {
    throw invalid(`it measures ${width} x ${height} pixels, the limit is ${MAX_SIDE_PX} a side`);
  }
  return { sizeBytes: bytes.length, contentType, widthPx: width, heightPx: height };
}

function measure(bytes: Uint8Array): ReturnType<typeof imageSize> {
  try {
    return imageSize(bytes);
  } catch (error) {
    throw new SpaceError('ICON_INVALID', { reason: NO_PICTURE }, { cause: error });
  }
}

function invalid(reason: string): SpaceError {
  return new SpaceError('ICON_INVALID', { reason });
}
