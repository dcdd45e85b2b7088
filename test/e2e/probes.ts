// Owns the scene of the isolation tests: two people, two apps of one person, two Instances of one app, each with a secret.
import { cp, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { WireInstance } from '../../core/wire.ts';
import { CHECKOUT, removeFolder, startHostProcess, type HostProcess } from '../support/host-process.ts';
import { install, pushNew, release, settleGuest, settleOwner, signIn, type Resident } from './people.ts';

export interface Scene extends AsyncDisposable {
  host: HostProcess;
  ada: Resident;
  bob: Resident;
  releaseId: string;
  /** Ada's Builder Instance of the probe, her installed copy of it, another app of hers, and Bob's copy of the first. */
  builder: WireInstance;
  copy: WireInstance;
  other: WireInstance;
  bobs: WireInstance;
  /** Whose each one is. */
  owned: readonly (readonly [Resident, WireInstance])[];
}

/** What only this Instance may ever show. */
export const secretOf = (instance: WireInstance): string => `secret-of-${instance.id}`;

export async function setScene(): Promise<Scene> {
  const host = await startHostProcess();
  const ada = await settleOwner(host);
  const bob = await settleGuest(host, ada);
  const folders = [await probe(), await probe()] as const;
  const builder = await pushNew(ada, folders[0], 'probe');
  const releaseId = await release(ada, folders[0]);
  const copy = await install(ada, releaseId);
  const other = await pushNew(ada, folders[1], 'sibling');
  const bobs = await install(bob, releaseId);
  await signIn(host, ada);
  await signIn(host, bob);
  const owned = [[ada, builder], [ada, copy], [ada, other], [bob, bobs]] as const;
  for (const [person, instance] of owned) {
    expect((await person.browser.visit(`${instance.url}remember?text=${secretOf(instance)}`)).status).toBe(200);
  }
  return {
    host, ada, bob, releaseId, builder, copy, other, bobs, owned,
    async [Symbol.asyncDispose]() {
      await host[Symbol.asyncDispose]();
      for (const person of [ada, bob]) await person[Symbol.asyncDispose]();
      await Promise.all(folders.map(removeFolder));
    },
  };
}

async function probe(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'probe-'));
  await cp(join(CHECKOUT, 'test', 'fixtures', 'probe'), folder, { recursive: true });
  return folder;
}

/** The keys that the host hands to a Micro. */
export async function microKeysOf(person: Resident, instance: WireInstance): Promise<{ dataKey: string; microKey: string }> {
  return (await person.browser.fetch(`${instance.url}keys`)).json();
}

export async function newKey(person: Resident, instance: WireInstance, kind: 'data' | 'api'): Promise<string> {
  const made = await person.api('POST', `/instances/${instance.id}/keys`, { name: `${kind} ${Math.random()}`, kind });
  expect(made.status, made.text).toBe(201);
  return made.json<{ value: string }>().value;
}
