import { Hono } from 'hono';

interface Note { key?: string; text: string }
interface Notes { put(note: Note): Promise<Note>; get(key: string): Promise<Note | null>; fetch(): Promise<{ items: Note[] }> }

const app = new Hono<{ Bindings: { Base(name: string): Notes } }>();

app.get('/notes', async (c) => c.json((await c.env.Base('notes').fetch()).items));

app.get('/notes/:key', async (c) => {
  const note = await c.env.Base('notes').get(c.req.param('key'));
  return note ? c.json(note) : c.notFound();
});

app.post('/notes', async (c) => {
  const { text } = await c.req.json<Note>();
  return c.json(await c.env.Base('notes').put({ text }), 201);
});

export default app;
