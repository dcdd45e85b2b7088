// Owns one run of the cases in Node: `node run-node.mjs PACKAGE MAJOR short|all key|token`; prints the results as JSON.
// The data key is in DETA_PROJECT_KEY, as in a Micro.
import { createRequire } from 'node:module';
import { runCases } from './cases.mjs';

const [, , name, major, extent, credential] = process.argv;
const { Base, Deta, Drive } = createRequire(import.meta.url)(name);
const key = process.env.DETA_PROJECT_KEY;
// With two arguments the SDK sends the second one as `Authorization`.
const withToken = credential === 'token' ? Deta(key.split('_')[0], key) : { Base, Drive };
const results = await runCases({ Base: (base) => withToken.Base(base), Drive: (drive) => withToken.Drive(drive), major: Number(major), isShort: extent === 'short' });
process.stdout.write(JSON.stringify(results));
