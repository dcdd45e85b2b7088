// Owns what waits in a ready box: a Node.js that has come up already. Told which program to be, it is that program from then on:
// where that is a file of JavaScript, in this very process; else by becoming another one. Started by ready-box.ts in the box
// itself; nothing may import this file. It knows nothing that the program may not know.
'use strict';
const fs = require('node:fs');
const http = require('node:http');
const Module = require('node:module');
// Most programs want these; they are here before they are asked for.
for (const name of ['https', 'crypto', 'zlib', 'url', 'querystring', 'stream', 'util', 'events', 'child_process', 'os']) require(`node:${name}`);

const TRIAL_MS = 2_000;
const TRIAL_FOLDER = '/tmp/compiled';
/** What a process reads when it starts: with other values there, another one has to start. */
const READ_AT_START = /^(NODE_(?!ENV$|USE_ENV_PROXY$|COMPILE_CACHE$)|LD_|SSL_|OPENSSL_|UV_|MALLOC_|GLIBC_|LC_|LANG|TZ$|ICU_)/;
/** What the builder puts before a start command, so that installed programs are found. */
const WITH_PATH = /^export PATH="((?:\$PWD\/[\w.-]+(?:\/[\w.-]+)*:)+)\$PATH"; /;
const WORDS = /^(?:exec )?node((?: [\w./@:=,+-]+)+)$/;

// The host will say on its end of the socket who this is to be.
if (process.argv[3] === 'proxy') void globalThis.Response;
fs.writeSync(0, 'r');
begin(readOrder());

/** Blocks: nothing else is to be done, and the program shall find nothing under way. */
function readOrder() {
  const length = readExactly(4).readUInt32LE(0);
  return JSON.parse(readExactly(length).toString());
}

function readExactly(length) {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length;) {
    const read = fs.readSync(0, bytes, at, length - at, null);
    if (read === 0) process.exit(137);
    at += read;
  }
  return bytes;
}

function begin({ command, env, cwd, forwarder, isTrial }) {
  process.chdir(cwd);
  const script = scriptOf(command, env, cwd);
  if (isTrial && !script) return;
  if (isTrial) tryOut(env);
  else {
    fs.closeSync(0);
    fs.openSync('/dev/null', 'r');
  }
  if (script) runHere(script, env, cwd);
  else process.execve(forwarder, [forwarder, 'anew', '--', ...command], env);
}

/** It runs for nobody, so that what Node.js makes of its sources can be kept: that is told when it has come up, or ends. */
function tryOut(env) {
  env.NODE_COMPILE_CACHE = TRIAL_FOLDER;
  process.once('exit', () => {
    Module.flushCompileCache();
    const parts = fs.readdirSync(TRIAL_FOLDER).flatMap((folder) => fs.readdirSync(`${TRIAL_FOLDER}/${folder}`).flatMap((file) => {
      const [name, bytes, lengths] = [Buffer.from(`${folder}/${file}`), fs.readFileSync(`${TRIAL_FOLDER}/${folder}/${file}`), Buffer.alloc(8)];
      lengths.writeUInt32LE(name.length, 0);
      lengths.writeUInt32LE(bytes.length, 4);
      return [lengths, name, bytes];
    }));
    const told = Buffer.concat([Buffer.alloc(4), ...parts]);
    told.writeUInt32LE(told.length - 4);
    for (let at = 0; at < told.length;) at += fs.writeSync(0, told, at);
    // It is ended when all of that has come.
    readExactly(1);
  });
  setTimeout(() => process.exit(), TRIAL_MS);
}

/** @returns the words after `node`, and what PATH is; undefined for whatever a shell has to read */
function scriptOf([shell, flag, line = '', ...more], env, cwd) {
  if (shell !== '/bin/sh' || flag !== '-c' || more.length > 0) return undefined;
  for (const name of new Set([...Object.keys(env), ...Object.keys(process.env)])) if (READ_AT_START.test(name) && env[name] !== process.env[name]) return undefined;
  if (env.PATH !== process.env.PATH || !['1', undefined].includes(env.NODE_USE_ENV_PROXY)) return undefined;
  const folders = (WITH_PATH.exec(line)?.[1] ?? '').replaceAll('$PWD', cwd);
  const words = WORDS.exec(line.replace(WITH_PATH, ''))?.[1].trim().split(' ');
  const hasOther = folders.split(':').some((folder) => folder !== '' && fs.existsSync(`${folder}/node`));
  return words === undefined || words[0].startsWith('-') || hasOther ? undefined : { words, path: folders + env.PATH };
}

function runHere({ words, path }, env, cwd) {
  for (const name of Object.keys(process.env)) if (!Object.hasOwn(env, name)) delete process.env[name];
  Object.assign(process.env, env, { PATH: path, PWD: cwd });
  const [file, ...args] = words;
  process.title = ['node', ...words].join(' ');
  process.argv = [process.execPath, require('node:path').resolve(file), ...args];
  if (env.NODE_COMPILE_CACHE !== undefined) Module.enableCompileCache(env.NODE_COMPILE_CACHE);
  if (env.NODE_USE_ENV_PROXY === '1') http.setGlobalProxyFromEnv();
  delete require.cache[__filename];
  delete process.mainModule;
  Module.runMain();
}
