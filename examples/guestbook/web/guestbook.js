// Owns the page: the form, the list of entries and the two dialogs. What people wrote only ever becomes text, never HTML.
import { addEntry, addPicture, deleteEntry, listEntries, pictureUrl } from './api.js';
import { fitPicture } from './picture.js';

const $ = (id) => document.getElementById(id);
const form = $('sign');
const { name, message, picture } = form.elements;
const MESSAGE_MAX_CHARS = message.maxLength;

let last = null;
/** The chosen picture, ready to be sent, and its name once it was: `{ file, name? }`. */
let chosen = null;
/** Choosing takes a moment when the picture has to be made smaller; signing waits for it. */
let choosing = Promise.resolve();

// The list

async function load() {
  $('failure').hidden = true;
  $('more').disabled = true;
  try {
    const page = await listEntries(last);
    dropGhosts();
    // One that was signed while this page of the list was on its way stands there already.
    const articles = page.entries.filter(({ key }) => !$('entries').querySelector(`[data-key="${key}"]`)).map(articleOf);
    $('entries').append(...articles);
    if (last !== null) articles[0]?.focus();
    last = page.last;
    $('more').hidden = last === null;
  } catch (error) {
    dropGhosts();
    $('failure-text').textContent = error.message;
    $('failure').hidden = false;
  }
  $('more').disabled = false;
  $('entries').setAttribute('aria-busy', 'false');
  showEmptiness();
}

/** The grey shapes that stand for entries until the first ones are there. */
function dropGhosts() {
  for (const ghost of $('entries').querySelectorAll('.ghost')) ghost.remove();
}

function showEmptiness() {
  $('empty').hidden = $('entries').childElementCount > 0 || !$('failure').hidden || !$('more').hidden;
}

function articleOf(entry) {
  const article = $('entry').content.cloneNode(true).firstElementChild;
  article.dataset.key = entry.key;
  const initial = article.querySelector('.initial');
  initial.textContent = firstLetter(entry.name);
  initial.style.setProperty('--hue', hueOf(entry.name));
  article.querySelector('h3').textContent = entry.name;
  article.querySelector('.message').textContent = entry.message;
  showTime(article.querySelector('time'), new Date(entry.signed_at));
  if (entry.picture) showPicture(article.querySelector('.picture'), entry);
  const remove = article.querySelector('.delete');
  remove.setAttribute('aria-label', `Delete the entry by ${entry.name}`);
  remove.addEventListener('click', () => confirmDelete(article, entry));
  return article;
}

function firstLetter(text) {
  return [...text][0].toLocaleUpperCase();
}

/** The same name always has the same colour. */
function hueOf(text) {
  let sum = 0;
  for (const character of text) sum = (sum * 31 + character.codePointAt(0)) % 3600;
  return (sum * 137) % 360;
}

function showTime(element, time) {
  element.dateTime = time.toISOString();
  element.title = time.toLocaleString();
  element.textContent = timeAgo(time);
}

const UNITS = [['year', 31536000], ['month', 2592000], ['week', 604800], ['day', 86400], ['hour', 3600], ['minute', 60]];

function timeAgo(time) {
  const seconds = (Date.now() - time) / 1000;
  const [unit, length] = UNITS.find(([, unitSeconds]) => seconds >= unitSeconds) ?? [];
  if (!unit) return 'just now';
  return new Intl.RelativeTimeFormat('en', { numeric: 'auto' }).format(-Math.floor(seconds / length), unit);
}

function showPicture(button, entry) {
  const alt = `Picture from ${entry.name}`;
  const image = button.querySelector('img');
  image.src = pictureUrl(entry.picture);
  image.alt = alt;
  button.hidden = false;
  button.addEventListener('click', () => {
    Object.assign($('viewer-image'), { src: image.src, alt });
    $('viewer').showModal();
  });
}

// Deleting

function confirmDelete(article, entry) {
  const dialog = $('confirm');
  $('confirm-text').textContent = `${entry.name} wrote: ${entry.message.length > 80 ? `${entry.message.slice(0, 80)}...` : entry.message}`;
  dialog.returnValue = '';
  dialog.addEventListener('close', () => {
    if (dialog.returnValue === 'delete') remove(article, entry);
  }, { once: true });
  dialog.showModal();
}

async function remove(article, entry) {
  const button = article.querySelector('.delete');
  button.disabled = true;
  try {
    await deleteEntry(entry.key);
    const next = article.nextElementSibling ?? article.previousElementSibling ?? $('entries-title');
    article.remove();
    next.focus();
    showEmptiness();
    say(`The entry by ${entry.name} is deleted.`);
  } catch (error) {
    button.disabled = false;
    showProblem(error.message);
  }
}

// Signing

async function sign() {
  const empty = [name, message].find((field) => field.value.trim() === '');
  for (const field of [name, message]) field.setAttribute('aria-invalid', String(field.value.trim() === ''));
  if (empty) return showProblem(empty === name ? 'Write your name first.' : 'Write a message first.', empty);
  setBusy(true);
  try {
    await choosing;
    if (chosen) chosen.name ??= (await addPicture(chosen.file)).name;
    const entry = await addEntry({ name: name.value, message: message.value, picture: chosen?.name ?? null });
    arrive(entry);
  } catch (error) {
    showProblem(error.message);
  }
  setBusy(false);
}

function arrive(entry) {
  const article = articleOf(entry);
  article.classList.add('arrived');
  $('failure').hidden = true;
  $('entries').prepend(article);
  rememberName(entry.name);
  message.value = '';
  countLeft();
  dropPicture();
  $('problem').hidden = true;
  showEmptiness();
  article.focus({ preventScroll: true });
  article.scrollIntoView({ block: 'nearest' });
  say(`Thank you, ${entry.name}. Your entry is in the book.`);
}

function setBusy(isBusy) {
  $('submit').disabled = isBusy;
  $('submit').textContent = isBusy ? 'Signing...' : 'Sign the guestbook';
}

function showProblem(text, field) {
  $('problem').textContent = text;
  $('problem').hidden = false;
  field?.focus();
}

function say(text) {
  $('status').textContent = text;
}

function countLeft() {
  const left = MESSAGE_MAX_CHARS - message.value.length;
  $('left').hidden = left > 200;
  $('left').textContent = `${left} characters left`;
}

/** Storage may be switched off; then the name is typed each time. */
function rememberName(text) {
  try {
    localStorage.setItem('guestbook.name', text);
  } catch {}
}

function recallName() {
  // Whoever types faster than this page loads keeps what they typed.
  if (name.value !== '') return;
  try {
    name.value = localStorage.getItem('guestbook.name') ?? '';
  } catch {}
}

// The picture

function choosePicture(file) {
  if (!file) return;
  choosing = fitPicture(file).then((fitted) => {
    dropPicture();
    chosen = { file: fitted };
    $('preview-image').src = URL.createObjectURL(fitted);
    $('preview').hidden = false;
    $('picker').classList.add('chosen');
    $('problem').hidden = true;
  }, (error) => {
    dropPicture();
    showProblem(error.message);
  });
}

function dropPicture() {
  chosen = null;
  picture.value = '';
  if ($('preview-image').src) URL.revokeObjectURL($('preview-image').src);
  $('preview-image').removeAttribute('src');
  $('preview').hidden = true;
  $('picker').classList.remove('chosen');
}

function takeDrops(area) {
  const isOver = (over) => (event) => {
    event.preventDefault();
    area.classList.toggle('over', over);
  };
  area.addEventListener('dragover', isOver(true));
  area.addEventListener('dragleave', isOver(false));
  area.addEventListener('drop', (event) => {
    isOver(false)(event);
    choosePicture(event.dataTransfer.files[0]);
  });
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  sign();
});
message.addEventListener('input', countLeft);
picture.addEventListener('change', () => choosePicture(picture.files[0]));
$('remove-picture').addEventListener('click', () => {
  dropPicture();
  picture.focus();
});
takeDrops($('picker'));
$('more').addEventListener('click', load);
$('retry').addEventListener('click', load);
$('viewer').addEventListener('click', (event) => event.currentTarget.close());
recallName();
load();
