// Owns the picture on its way to the guestbook: photos are larger than the API takes, so they are made smaller here.

const MAX_BYTES = 2 * 1024 * 1024;
const MAX_EDGE_PIXELS = 1600;
const TYPES = ['image/png', 'image/jpeg', 'image/webp', 'image/gif'];

/** A picture that the API takes. Throws an Error with a message for people. */
export async function fitPicture(file) {
  if (!TYPES.includes(file.type)) throw new Error('Choose a PNG, JPEG, WebP or GIF picture.');
  if (file.size <= MAX_BYTES) return file;
  if (file.type === 'image/gif') throw new Error('The GIF is larger than 2 MB. Choose a smaller one.');
  const smaller = await shrink(file);
  if (smaller === null || smaller.size > MAX_BYTES) throw new Error('The picture is larger than 2 MB. Choose a smaller one.');
  return smaller;
}

async function shrink(file) {
  const bitmap = await createImageBitmap(file).catch(() => {
    throw new Error('This file is not a picture that your browser can read.');
  });
  const scale = Math.min(1, MAX_EDGE_PIXELS / Math.max(bitmap.width, bitmap.height));
  const canvas = Object.assign(document.createElement('canvas'), { width: Math.round(bitmap.width * scale), height: Math.round(bitmap.height * scale) });
  canvas.getContext('2d').drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return new Promise((resolve) => canvas.toBlob(resolve, 'image/jpeg', 0.86));
}
