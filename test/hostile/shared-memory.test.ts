// Covers the memory that a guest's runtime has in common with its Cell (A17): whatever builtins a guest bends, it gets hold of
// none of it, and its bodies arrive as they were sent. Where the runtime calls a method that a guest can replace, it does.
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { expect, it } from 'vitest';
import { openAlteredBench } from '../support/altered-engine.ts';
import { createTestInstance, type IsolateBench, openIsolateBench } from '../support/isolate-instance.ts';

const BYTES = randomBytes(700_001);

/** Looks at every `this`, argument and result of the methods that copy bytes, and of what they are called by. */
const SPY = `
let seen = 0;
const { apply: reach, getPrototypeOf } = Reflect, Native = Uint8Array, usual = ArrayBuffer.prototype;
const bufferOf = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Native.prototype), 'buffer').get;
const look = (value) => { try { if (getPrototypeOf(reach(bufferOf, value, [])) !== usual) seen++; } catch {} return value; };
const bend = (owner, name) => { const own = owner[name]; if (typeof own !== 'function') return; owner[name] = function (...all) { look(this); for (let at = 0; at < all.length; at++) look(all[at]); return look(reach(own, this, all)); }; };
for (const name of ['set', 'subarray', 'slice', 'fill', 'at', 'entries', 'values', 'keys', Symbol.iterator]) bend(Object.getPrototypeOf(Native.prototype), name);
for (const name of ['call', 'apply', 'bind']) bend(Function.prototype, name);
for (const name of ['apply', 'construct', 'get']) bend(Reflect, name);
Object.defineProperty(Object.getPrototypeOf(Native), Symbol.species, { get() { return class extends Native { constructor(...all) { all.forEach(look); super(...all); look(this); } }; } });
globalThis.Uint8Array = new Proxy(Native, { construct: (target, all) => { all.forEach(look); return look(Reflect.construct(target, all)); } });
`;
const MODULE = `${SPY}
export default { async fetch(request) {
  if (request.url.endsWith('/seen')) return new Response(String(seen));
  return new Response(request.body);
} };`;

async function attack(bench: IsolateBench): Promise<{ isSame: boolean; seen: number }> {
  const instance = createTestInstance(bench.engine, MODULE);
  const { bytes } = await instance.call('/', { method: 'POST', body: Readable.from([BYTES]) });
  return { isSame: bytes.equals(BYTES), seen: Number((await instance.call('/seen')).text) };
}

it('A17 memory that a runtime shares with its Cell is out of its guest\'s reach', async () => {
  const bench = await openIsolateBench();
  try {
    expect(await attack(bench)).toEqual({ isSame: true, seen: 0 });
  } finally {
    await bench.close();
  }
}, 60_000);

it('a runtime that copied by the guest\'s own methods would give it away', async () => {
  const bench = await openAlteredBench({ 'runtime/engine/guest/bridge.ts': ['copyBytes(bytes, new Bytes(shared, inEnd, size), 0)', 'bytes.set(new Bytes(shared, inEnd, size), 0)'] });
  try {
    const { isSame, seen } = await attack(bench);
    expect(isSame).toBe(true);
    expect(seen).toBeGreaterThan(0);
  } finally {
    await bench.close();
  }
}, 60_000);
