// Owns the proof that bodies are read within their limit and no further, and that signed ones end only when proven.
import { createHmac } from 'node:crypto';
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { SpaceError } from '../../../core/errors.ts';
import { parseJsonObject, provenBody, readBody } from '../../../runtime/http/body.ts';
import { codeOf, createIdentities } from '../../support/identity.ts';

async function* chunks(...sizes: number[]): AsyncGenerator<Buffer> {
  for (const size of sizes) yield Buffer.alloc(size, 97);
}

describe('reading', () => {
  test.each([[[], 0], [[3], 3], [[2, 3, 5], 10]])('chunks of %j are one body', async (sizes, length) => {
    expect(await readBody(chunks(...sizes), 10)).toHaveLength(length);
  });

  test('stops as soon as the limit is passed', async () => {
    let sent = 0;
    const endless = async function* (): AsyncGenerator<Buffer> {
      for (;;) {
        sent += 1;
        yield Buffer.alloc(4);
      }
    };
    expect(await codeOf(readBody(endless(), 10))).toBe('PAYLOAD_TOO_LARGE');
    expect(sent).toBe(3);
  });

  test('leaves a stream open, so that an answer can still be sent on its connection', async () => {
    const stream = new Readable({ read() { this.push(Buffer.alloc(8)); } });
    expect(await codeOf(readBody(stream, 10))).toBe('PAYLOAD_TOO_LARGE');
    expect(stream.destroyed).toBe(false);
    stream.destroy();
  });

  test('a source that breaks is no body', async () => {
    const broken = async function* (): AsyncGenerator<Buffer> {
      yield Buffer.from('a');
      throw new Error('cut');
    };
    await expect(readBody(broken(), 10)).rejects.toThrow('cut');
  });
});

describe('a proven body', () => {
  const body = ['one ', 'two ', 'three'];
  async function* source(...parts: string[]): AsyncGenerator<Buffer> {
    for (const part of parts) yield Buffer.from(part);
  }

  async function read(parts: string[]): Promise<{ seen: string; code: string | undefined }> {
    const { accessTokens } = createIdentities();
    const { accessToken } = await accessTokens.create('space-a', 'cli');
    const [id, secret = ''] = accessToken.split('_');
    const hmac = createHmac('sha256', secret).update(`POST\n/x\n1893456000\n\n${body.join('')}\n`).digest('hex');
    const verifier = await accessTokens.verifier({ method: 'POST', uri: '/x', timestamp: '1893456000', contentType: '', signature: `v0=${id}:${hmac}` });
    let seen = '';
    const code = await codeOf((async () => {
      for await (const chunk of provenBody(source(...parts), verifier)) seen += chunk.toString();
    })());
    return { seen, code };
  }

  test('ends when the signature covers it', async () => {
    expect(await read(body)).toEqual({ seen: 'one two three', code: undefined });
  });

  test.each([[['one ', 'two ', 'thref']], [['one ', 'two ']], [[...body, '!']], [[]]])('%j fails at its end', async (parts) => {
    expect(await read(parts)).toEqual({ seen: parts.join(''), code: 'TOKEN_INVALID' });
  });
});

describe('JSON', () => {
  test.each([['{"a":1}', { a: 1 }], ['', {}], [' {} ', {}]])('%j is an object', (text, value) => {
    expect(parseJsonObject(Buffer.from(text))).toEqual(value);
  });

  test.each(['[]', 'null', '1', '"a"', '{', '{"a":}', '\u0000', 'true'])('%j is none', (text) => {
    expect(() => parseJsonObject(Buffer.from(text))).toThrow(SpaceError);
  });

  test.each(['{"a":"\\ud800"}', '{"a":["\\udc00x"]}', '{"\\ud800":1}', '{"a":"\\\\\\ud800"}'])('%j has half of a character', (text) => {
    expect(() => parseJsonObject(Buffer.from(text))).toThrow(/half of a character/);
  });

  test.each(['{"a":"\\ud83d\\ude00"}', '{"a":"😀"}', '{"a":"\\\\ud800"}', '{"a":"\\u00e9"}'])('%j has none', (text) => {
    expect(parseJsonObject(Buffer.from(text))).toEqual(JSON.parse(text));
  });

  test('prototypes are not polluted', () => {
    parseJsonObject(Buffer.from('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}'));
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});
