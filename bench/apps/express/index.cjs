// The app that most people begin with.
const express = require('express');
const app = express();
app.get('/', (_request, response) => response.send('Hello, world!'));
app.listen(Number(process.env.PORT), '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
