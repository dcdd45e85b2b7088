import { createServer } from 'node:http';
import type { RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { createApi } from '../../client/api.ts';
import { readLines } from '../../client/lines.ts';
import { createTransport } from '../../client/transport.ts';
import { TOKEN, startFakeHost } from './fake-host.ts';

async function serve(listener: RequestListener): Promise<{ root: string } & AsyncDisposable> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    root: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const collect = async (lines: AsyncIterable<string>) => {
  const found: string[] = [];
  for await (const line of lines) found.push(line);
  return found;
};

describe('errors', () => {
  test('what a host refuses keeps its code, status, sentence and request id', async () => {
    await using host = await startFakeHost();
    await expect(createApi({ root: host.root }).getSpace()).rejects.toMatchObject({ name: 'ApiError', status: 401, code: 'UNAUTHORIZED', message: 'Unauthorized', requestId: 'req123' });
    await expect(createApi({ root: host.root, accessToken: TOKEN }).getProject('../../x')).rejects.toMatchObject({ code: 'PROJECT_NOT_FOUND' });
    expect(host.calls.at(-1)?.path).toBe('/api/v0/apps/..%2F..%2Fx');
  });

  test.each([
    ['no JSON', '<html>', 'HTTP_502', 'The server answered with status 502.'],
    ['only `errors`', '{"errors":["so"]}', 'HTTP_502', 'so'],
    ['JSON that is no object', 'null', 'HTTP_502', 'The server answered with status 502.'],
  ])('an error that is %s', async (_, body, code, message) => {
    await using host = await serve((_request, response) => response.writeHead(502).end(body));
    await expect(createTransport({ root: host.root }).call('GET', '/v0/space')).rejects.toMatchObject({ code, message });
  });

  test('nothing listens, the name is unknown, the address is none', async () => {
    const reason = async (root: string) => createTransport({ root }).call('GET', '/v0/space').catch((error: { reason: string }) => error.reason);
    await using gone = await serve(() => {});
    await gone[Symbol.asyncDispose]();
    expect(await reason(gone.root)).toBe('nothing listens there');
    expect(await reason('not a url')).toBe('this is not a URL');
  });

  test('an answer that does not come ends with the time limit; Ctrl-C ends it at once', async () => {
    await using host = await serve(() => {});
    await expect(createTransport({ root: host.root, timeoutMs: 50 }).call('GET', '/x')).rejects.toMatchObject({ name: 'HostUnreachable', reason: 'it took longer than 0.05 s' });
    await expect(createTransport({ root: host.root, signal: AbortSignal.timeout(50) }).call('GET', '/x')).rejects.toMatchObject({ name: 'TimeoutError' });
  });

  test('a page in place of JSON is told apart', async () => {
    await using host = await serve((_request, response) => response.end('<html>'));
    await expect(createTransport({ root: host.root }).call('GET', '/x')).rejects.toMatchObject({ reason: 'what answered there is not an Ownspace host' });
  });

  test('a redirect is not followed, so that no token reaches where it leads', async () => {
    const seen: unknown[] = [];
    await using other = await serve((request, response) => {
      seen.push(request.headers.authorization);
      response.end('{}');
    });
    await using host = await serve((_request, response) => response.writeHead(302, { location: other.root }).end());
    await expect(createTransport({ root: host.root, accessToken: TOKEN }).call('GET', '/x')).rejects.toMatchObject({ status: 302 });
    expect(seen).toEqual([]);
    await createTransport({ root: other.root, accessToken: TOKEN }).call('GET', '/x');
    expect(seen).toEqual([`Bearer ${TOKEN}`]);
  });
});

describe('lines of an answer that goes on', () => {
  test('come as they are complete, across chunks and characters of several bytes, with the last one unended', async () => {
    const bytes = Buffer.from('one\r\nzwölf\n\nlast');
    await using host = await serve(async (_request, response) => {
      for (const byte of bytes) {
        response.write(Buffer.of(byte));
        await new Promise((resolve) => setImmediate(resolve));
      }
      response.end();
    });
    expect(await collect(readLines(await createTransport({ root: host.root }).open('GET', '/x')))).toEqual(['one', 'zwölf', '', 'last']);
  });

  test('the time limit of a request does not cut them off', async () => {
    await using host = await serve((_request, response) => {
      response.write('early\n');
      setTimeout(() => response.end('late\n'), 300);
    });
    expect(await collect(readLines(await createTransport({ root: host.root, timeoutMs: 100 }).open('GET', '/x')))).toEqual(['early', 'late']);
  });

  test('a connection that breaks off is an error, after the lines that came', async () => {
    await using host = await startFakeHost();
    const { promise: hangUp, resolve } = Promise.withResolvers<void>();
    host.intercept = () => ({ lines: ['one'], hangUp });
    const lines: string[] = [];
    const read = async () => {
      for await (const line of createApi({ root: host.root }).buildLogs('b')) {
        lines.push(line);
        resolve();
      }
    };
    await expect(read()).rejects.toMatchObject({ name: 'HostUnreachable', reason: 'the connection broke off' });
    expect(lines).toEqual(['one']);
  });
});

test('a body without content is undefined, and a query leaves out what is not given', async () => {
  await using host = await startFakeHost();
  const api = createApi({ root: host.root, accessToken: TOKEN });
  expect(await api.logOut()).toBeUndefined();
  await api.listInstances({ channel: 'development' });
  expect(host.calls.at(-1)?.path).toBe('/api/v0/instances?channel=development');
});
