// A program as anybody writes it; without PORT it takes a free one and prints it.
const { createServer } = require('node:http');
const server = createServer((_request, response) => response.end('Hello, world!'));
server.listen(Number(process.env.PORT ?? 0), '127.0.0.1', () => { if (!process.env.PORT) console.log(server.address().port); });
process.on('SIGTERM', () => process.exit(0));
