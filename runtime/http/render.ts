// Owns turning a route's Reply into an HTTP answer. Knows no route.
import type Koa from 'koa';
import { Readable } from 'node:stream';
import type { Reply, RouteRequest } from '../api/route.ts';

export async function render(ctx: Koa.Context, reply: Reply, request: RouteRequest): Promise<void> {
  if (reply.cookies) ctx.set('set-cookie', reply.cookies);
  ctx.status = reply.status ?? 200;
  if (reply.redirect !== undefined) {
    ctx.status = reply.status ?? 303;
    ctx.set('location', reply.redirect);
    ctx.body = '';
  } else if (reply.html !== undefined) {
    ctx.type = 'html';
    ctx.body = reply.html;
  } else if (reply.text !== undefined) {
    ctx.type = 'text/plain';
    ctx.body = reply.text;
  } else if (reply.bytes) {
    ctx.set('content-type', reply.bytes.contentType);
    ctx.set('cache-control', reply.bytes.cacheControl ?? 'no-store');
    ctx.body = reply.bytes.content;
  } else if (reply.lines) {
    ctx.set('content-type', reply.lines.contentType);
    ctx.body = Readable.from(withNewlines(reply.lines.source, request.signal), { objectMode: false });
  } else if (reply.file) {
    ctx.set('content-type', reply.file.contentType);
    ctx.set('content-disposition', `attachment; filename="${reply.file.name.replace(/[^A-Za-z0-9._-]/g, '_')}"`);
    ctx.body = reply.file.stream;
  } else if (reply.json !== undefined) {
    ctx.type = 'json';
    ctx.body = JSON.stringify(reply.json);
  } else {
    ctx.status = reply.status ?? 204;
    ctx.body = null;
  }
}

async function* withNewlines(lines: AsyncIterable<string>, signal: AbortSignal): AsyncGenerator<string> {
  for await (const line of lines) {
    if (signal.aborted) return;
    yield `${line}\n`;
  }
}
