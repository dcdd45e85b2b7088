// The guestbook's API: entries in a Base, pictures in a Drive. Mounted at /api; the prefix is stripped before it gets here.

const PAGE_SIZE = 20;
const NAME_MAX_CHARS = 60;
const MESSAGE_MAX_CHARS = 1000;
const PICTURE_MAX_BYTES = 2 * 1024 * 1024;

/** What a picture is, told by its first bytes: the sender's word is not enough. */
const PICTURE_TYPES = {
  png: { contentType: 'image/png', startsWith: (bytes) => matches(bytes, [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]) },
  jpg: { contentType: 'image/jpeg', startsWith: (bytes) => matches(bytes, [0xff, 0xd8, 0xff]) },
  gif: { contentType: 'image/gif', startsWith: (bytes) => matches(bytes, [0x47, 0x49, 0x46, 0x38]) },
  webp: { contentType: 'image/webp', startsWith: (bytes) => matches(bytes, [0x52, 0x49, 0x46, 0x46]) && matches(bytes.subarray(8), [0x57, 0x45, 0x42, 0x50]) },
};
const PICTURE_NAME = /^[0-9a-f-]{36}\.(png|jpg|gif|webp)$/;
const ENTRY_KEY = /^\d{13}-[0-9a-f]{8}$/;

const ROUTES = {
  'GET /entries': listEntries,
  'POST /entries': addEntry,
  'DELETE /entries/:id': deleteEntry,
  'POST /pictures': addPicture,
  'GET /pictures/:id': getPicture,
};

export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    const [, noun, id, ...rest] = url.pathname.split('/');
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    const handle = rest.length === 0 ? ROUTES[`${method} /${noun}${id === undefined ? '' : '/:id'}`] : undefined;
    if (!handle) return problem(404, 'Nothing is here.');
    return handle({ request, url, id, entries: env.Base('entries'), pictures: env.Drive('pictures') });
  },
};

/** Keys count down in time, so that a Base, which sorts by key, gives the newest entry first. */
function newKey() {
  return `${String(9999999999999 - Date.now()).padStart(13, '0')}-${crypto.randomUUID().slice(0, 8)}`;
}

async function listEntries({ url, entries }) {
  const last = url.searchParams.get('last') ?? undefined;
  if (last !== undefined && !ENTRY_KEY.test(last)) return problem(400, '`last` is not the key of an entry.');
  const page = await entries.fetch({}, { limit: PAGE_SIZE, last });
  return json(200, { entries: page.items, last: page.last ?? null });
}

async function addEntry({ request, entries, pictures }) {
  if (!isType(request, 'application/json')) return problem(415, 'Send JSON.');
  const sent = await request.json().catch(() => undefined);
  const name = textOf(sent?.name);
  const message = textOf(sent?.message);
  if (name === '' || name.length > NAME_MAX_CHARS) return problem(400, `Write your name, in ${NAME_MAX_CHARS} characters at most.`);
  if (message === '' || message.length > MESSAGE_MAX_CHARS) return problem(400, `Write a message, in ${MESSAGE_MAX_CHARS} characters at most.`);
  const picture = sent.picture ?? null;
  if (picture !== null && !(await hasPicture(pictures, picture))) return problem(400, 'The picture is not there any more. Choose it again.');
  const entry = await entries.insert({ name, message, picture, signed_at: new Date().toISOString() }, newKey());
  return json(201, entry);
}

async function hasPicture(pictures, name) {
  if (typeof name !== 'string' || !PICTURE_NAME.test(name)) return false;
  const { names } = await pictures.list({ prefix: name, limit: 1 });
  return names.includes(name);
}

async function deleteEntry({ id, entries, pictures }) {
  const entry = ENTRY_KEY.test(id) ? await entries.get(id) : null;
  if (entry === null) return problem(404, 'This entry does not exist any more.');
  await entries.delete(id);
  if (entry.picture) await pictures.delete(entry.picture);
  return new Response(null, { status: 204 });
}

async function addPicture({ request, pictures }) {
  if (Number(request.headers.get('content-length') ?? 0) > PICTURE_MAX_BYTES) return tooLarge();
  const bytes = new Uint8Array(await request.arrayBuffer());
  if (bytes.length > PICTURE_MAX_BYTES) return tooLarge();
  const found = Object.entries(PICTURE_TYPES).find(([, type]) => type.startsWith(bytes));
  if (found === undefined || !isType(request, found[1].contentType)) return problem(415, 'Choose a PNG, JPEG, WebP or GIF picture.');
  const [extension, { contentType }] = found;
  const name = `${crypto.randomUUID()}.${extension}`;
  await pictures.put(name, { data: bytes, contentType });
  return json(201, { name });
}

function tooLarge() {
  return problem(413, 'The picture is larger than 2 MB. Choose a smaller one.');
}

async function getPicture({ id, pictures }) {
  const extension = PICTURE_NAME.exec(id)?.[1];
  const picture = extension === undefined ? null : await pictures.get(id);
  if (picture === null) return problem(404, 'This picture does not exist any more.');
  return new Response(await picture.arrayBuffer(), {
    headers: {
      'content-type': PICTURE_TYPES[extension].contentType,
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; sandbox",
      // A picture never changes under its name.
      'cache-control': 'private, max-age=31536000, immutable',
    },
  });
}

function matches(bytes, start) {
  return start.every((value, index) => bytes[index] === value);
}

function isType(request, type) {
  return (request.headers.get('content-type') ?? '').split(';')[0].trim().toLowerCase() === type;
}

function textOf(value) {
  return typeof value === 'string' ? value.trim() : '';
}

function json(status, value) {
  return new Response(JSON.stringify(value), {
    status, headers: { 'content-type': 'application/json', 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' },
  });
}

function problem(status, message) {
  return json(status, { error: message });
}
