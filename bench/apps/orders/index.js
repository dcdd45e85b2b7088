// A Micro as people write them: Hono, a JSON body that is checked, three reads of a Base, JSON back. workerd runs this very
// file beside us, with a Base in memory.
import { Hono } from 'hono';
import { etag } from 'hono/etag';
import { HTTPException } from 'hono/http-exception';
import { secureHeaders } from 'hono/secure-headers';
import { ballast } from 'ballast';

const app = new Hono();

app.use('*', secureHeaders());
app.use('/things/*', etag());
app.onError((error, c) => (error instanceof HTTPException ? error.getResponse() : c.json({ error: 'It did not work.' }, 500)));

app.get('/', (c) => c.text('Hello, world!'));
app.get('/ballast/:number', (c) => c.json({ result: ballast[Number(c.req.param('number'))]?.('a-b-c') ?? null }));
app.get('/things/:key', async (c) => {
  const item = await c.env.Base('things').get(c.req.param('key'));
  return item ? c.json(item) : c.json({ error: 'There is no such thing.' }, 404);
});

app.post('/orders', async (c) => {
  const order = await c.req.json();
  if (typeof order.customer !== 'string' || typeof order.product !== 'string' || !(order.count > 0)) throw new HTTPException(400, { message: 'That is no order.' });
  const things = c.env.Base('things');
  const customer = await things.get(order.customer);
  const [product, stock] = await Promise.all([things.get(order.product), things.get(`stock-${order.product}`)]);
  if (!customer || !product || !stock) return c.json({ error: 'There is no such customer or product.' }, 404);
  const total = product.priceCents * order.count * (1 - customer.discount);
  return c.json({ customer: customer.name, product: product.name, count: order.count, totalCents: Math.round(total), isInStock: stock.count >= order.count }, 201);
});

export default app;
