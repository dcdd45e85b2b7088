// Reads an Item again and again as Deta's SDKs do, one after the other through one connection, and says how long each took.
// In a box, by the name that is built into the SDKs; outside, by the address in BASE.
const http = require('node:http');
const https = require('node:https');

const key = process.env.DETA_PROJECT_KEY;
const root = process.env.BASE ?? 'https://database.deta.sh';
const kind = root.startsWith('https:') ? https : http;
const agent = new kind.Agent({ keepAlive: true, maxSockets: 1 });
const collection = key.split('_')[0];

function call(method, path, body) {
  return new Promise((resolve, reject) => {
    const request = kind.request(`${root}/v1/${collection}/bench/${path}`, { method, agent, headers: { 'content-type': 'application/json', 'x-api-key': key } }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk) => { text += chunk; }).on('end', () => resolve({ status: response.statusCode, text }));
    });
    request.on('error', reject).end(body);
  });
}

async function measure(count) {
  await call('PUT', 'items', JSON.stringify({ items: [{ key: 'a', text: 'x'.repeat(200) }] }));
  const times = [];
  for (let index = 0; index < count; index += 1) {
    const began = performance.now();
    const { status, text } = await call('GET', 'items/a');
    times.push(performance.now() - began);
    if (status !== 200 || JSON.parse(text).key !== 'a') throw new Error(`${status} ${text}`);
  }
  return times;
}

const server = http.createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://own');
  const answer = pathname === '/key' ? Promise.resolve({ key }) : measure(Number(searchParams.get('count') ?? 1));
  answer.then((value) => response.end(JSON.stringify(value)), (error) => response.writeHead(500).end(String(error)));
}).listen(process.env.PORT, '127.0.0.1', () => console.log(server.address().port));
