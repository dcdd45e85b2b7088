// Owns how pages in a browser learn that the app is new: a script at their end, and the events that it waits for.
import type { IncomingMessage, ServerResponse } from 'node:http';

export interface LiveReload {
  /** Answers `/__space/dev/...`. @returns whether it did */
  serve(request: IncomingMessage, response: ServerResponse): boolean;
  reload(): void;
  close(): void;
}

/** Behind the end of a page, where every browser still runs it. */
export const RELOAD_MARKUP = '\n<script src="/__space/dev/reload.js"></script>\n';

const SCRIPT = `// Loads the page anew when \`space dev\` says that the app is new, also after it was away.
{
  let wasAway = false;
  const events = new EventSource('/__space/dev/events');
  events.addEventListener('open', () => { if (wasAway) location.reload(); });
  events.addEventListener('error', () => { wasAway = true; });
  events.addEventListener('reload', () => location.reload());
}
`;

export function createLiveReload(): LiveReload {
  const pages = new Set<ServerResponse>();
  return {
    serve(request, response) {
      const path = (request.url ?? '').split('?')[0];
      if (path === '/__space/dev/reload.js') {
        response.writeHead(200, { 'content-type': 'text/javascript; charset=utf-8', 'cache-control': 'no-store' }).end(SCRIPT);
        return true;
      }
      if (path !== '/__space/dev/events') return false;
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' }).write('retry: 500\n\n');
      pages.add(response);
      response.on('close', () => pages.delete(response));
      return true;
    },
    reload() {
      for (const page of pages) page.write('event: reload\ndata: \n\n');
    },
    close() {
      for (const page of pages) page.end();
    },
  };
}
