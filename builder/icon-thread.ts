// Owns the thread in which a picture becomes icons. The picture is a stranger's: it is read by WebAssembly, which ends with the thread.
import { parentPort, workerData } from 'node:worker_threads';
import { padding_bottom, padding_left, padding_right, padding_top, PhotonImage, resize, Rgba, SamplingFilter } from '@silvia-odwyer/photon-node';
import { giveWay } from './give-way.ts';

export interface IconsWanted { picture: Uint8Array; sizesPx: readonly number[] }

giveWay();
const { picture, sizesPx } = workerData as IconsWanted;
const whole = PhotonImage.new_from_byteslice(picture);
parentPort?.postMessage(sizesPx.map((sizePx) => square(whole, sizePx).get_bytes()));

/** All of the picture, in the middle of a square of nothing. */
function square(image: PhotonImage, sidePx: number): PhotonImage {
  const scale = sidePx / Math.max(image.get_width(), image.get_height());
  const width = Math.max(1, Math.round(image.get_width() * scale));
  const height = Math.max(1, Math.round(image.get_height() * scale));
  const nothing = (): Rgba => new Rgba(0, 0, 0, 0);
  const [left, top] = [Math.floor((sidePx - width) / 2), Math.floor((sidePx - height) / 2)];
  let made = resize(image, width, height, SamplingFilter.Lanczos3);
  if (left > 0) made = padding_left(made, left, nothing());
  if (top > 0) made = padding_top(made, top, nothing());
  if (sidePx - width - left > 0) made = padding_right(made, sidePx - width - left, nothing());
  if (sidePx - height - top > 0) made = padding_bottom(made, sidePx - height - top, nothing());
  return made;
}
