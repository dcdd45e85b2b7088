// Owns the proof of where the host's markup goes in a page, and which answers get none.
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import type { MicroResponse } from '../../../runtime/engine/engine.ts';
import { answerWithMarkup, withMarkup, withoutCodings } from '../../../runtime/engine/page-markup.ts';

const MARK = '<MARK>';

test.each([
  ['<!doctype html><html><head><title>', '<!doctype html><html><head><MARK><title>'],
  ['\n<!-- a --> <!DOCTYPE html>\n<html lang="en" data-x="a>b">\n<!-- <head> -->\n<HEAD class=\'>\'>\n<meta charset="utf-8">', '\n<!-- a --> <!DOCTYPE html>\n<html lang="en" data-x="a>b">\n<!-- <head> -->\n<HEAD class=\'>\'><MARK>\n<meta charset="utf-8">'],
  ['<!doctype html><title>x</title>', '<!doctype html><MARK><title>x</title>'],
  ['<!doctype html><html><body>', '<!doctype html><html><MARK><body>'],
  ['<!doctype html><header>', '<!doctype html><MARK><header>'],
  ['<html>', '<html><MARK>'],
  ['<head></head>', '<head><MARK></head>'],
  ['\uFEFF<!doctype html><head>ü', '\uFEFF<!doctype html><head><MARK>ü'],
  ['<!doctype html><!-- never closed <head>', '<!doctype html><MARK><!-- never closed <head>'],
  ['<!doctype html PUBLIC "-//W3C//DTD HTML 4.01//EN"><html><head>', '<!doctype html PUBLIC "-//W3C//DTD HTML 4.01//EN"><html><head><MARK>'],
])('%j', (html, expected) => expect(withMarkup(Buffer.from(html), MARK)?.toString()).toBe(expected));

test.each(['', '<p>part of a page', 'text', '{"html":"<head>"}', '<!-- only --> <header>', '<template><head></head></template>', '<?xml version="1.0"?><html>'])('%j is no whole page', (html) => {
  expect(withMarkup(Buffer.from(html), MARK)).toBeUndefined();
});

test('a page that is made to be slow to read is read in time', () => {
  for (const hostile of ['<!-- -->'.repeat(50_000), `<!doctype html><html ${'"'.repeat(60_001)}`, `<!doctype html>${' '.repeat(200_000)}<html`, `<html ${'a="b'.repeat(40_000)}`]) {
    expect(withMarkup(Buffer.from(hostile), MARK)?.length ?? 0).toBeLessThan(hostile.length + 10);
  }
});

const PAGE = '<!doctype html><head></head>';
const answer = (more: Partial<MicroResponse>): MicroResponse => ({ status: 200, headers: ['Content-Type', 'text/html; charset=utf-8', 'Content-Length', String(PAGE.length), 'ETag', '"1"', 'Set-Cookie', 'a="b"'], body: Buffer.from(PAGE), ...more });

test('a Micro\'s page gets it, with a length and a version that are true', async () => {
  const streamed = answer({ body: Readable.from([Buffer.from('<!doctype html><head>'), Buffer.from('</head><head>')]), sizeBytes: 5 });
  for (const [given, expected] of [[answer({}), '<!doctype html><head><MARK></head>'], [streamed, '<!doctype html><head><MARK></head><head>']] as const) {
    const { headers, body, sizeBytes } = answerWithMarkup(given, MARK);
    expect(headers).toEqual(['Content-Type', 'text/html; charset=utf-8', 'ETag', 'W/"1"', 'Set-Cookie', 'a="b"']);
    expect(sizeBytes).toBeUndefined();
    expect((body instanceof Uint8Array ? Buffer.from(body) : await buffer(body!)).toString()).toBe(expected);
  }
});

test.each([
  ['what is no page', answer({ headers: ['content-type', 'application/json'] })], ['a page in a coding', answer({ headers: ['content-type', 'text/html', 'content-encoding', 'br'] })], ['a part of a page', answer({ status: 206 })],
  ['a page without a body', answer({ body: null })], ['a fragment', answer({ body: Buffer.from('<p>') })], ['what says nothing of its type', answer({ headers: [] })],
])('%s stays as it is', (_, given) => expect(answerWithMarkup(given, MARK)).toBe(given));

test('a stream that breaks, or whose reader goes, ends on both sides', async () => {
  const source = new Readable({ read() { this.push('<!doctype html><head>'); } });
  const { body } = answerWithMarkup(answer({ body: source }), MARK);
  (body as Readable).destroy();
  await expect.poll(() => source.destroyed).toBe(true);
  const broken = new Readable({ read() { this.destroy(new Error('cut')); } });
  await expect(buffer(answerWithMarkup(answer({ body: broken }), MARK).body as Readable)).rejects.toThrow('cut');
});

test('whoever shall be changed is asked for without a coding', () => {
  expect(withoutCodings(['Accept-Encoding', 'br', 'accept', 'a', 'X', 'accept-encoding'])).toEqual(['accept', 'a', 'X', 'accept-encoding']);
});
