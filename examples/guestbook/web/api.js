// Owns the calls to the guestbook's API. Every failure is an Error with a message for people.

export function listEntries(last) {
  return call('GET', last ? `entries?last=${encodeURIComponent(last)}` : 'entries');
}

export function addEntry(entry) {
  return call('POST', 'entries', { headers: { 'content-type': 'application/json' }, body: JSON.stringify(entry) });
}

export function deleteEntry(key) {
  return call('DELETE', `entries/${encodeURIComponent(key)}`);
}

export function addPicture(picture) {
  return call('POST', 'pictures', { headers: { 'content-type': picture.type }, body: picture });
}

export function pictureUrl(name) {
  return `/api/pictures/${encodeURIComponent(name)}`;
}

async function call(method, path, options = {}) {
  const response = await fetch(`/api/${path}`, { method, ...options }).catch(() => {
    throw new Error('The guestbook cannot be reached. Check your connection and try again.');
  });
  if (response.status === 204) return undefined;
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  if (response.status === 401) throw new Error('You are signed out. Reload this page to sign in again.');
  throw new Error(answer.error ?? answer.detail ?? `The guestbook answered with an error (${response.status}). Try again.`);
}
