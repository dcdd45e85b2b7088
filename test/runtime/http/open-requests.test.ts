// Covers how many requests one person may hold open: theirs end, those of others go on.
import { get, type ClientRequest } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { OPEN_REQUESTS_MAX } from '../../../runtime/http/open-requests.ts';
import { send } from '../../support/http.ts';
import { startTestHost, until, type TestHost } from '../../support/start-host.ts';

let space: TestHost;
beforeAll(async () => { space = await startTestHost(); });
afterAll(() => space.close());

const status = async (headers: Record<string, string>): Promise<number> => (await send(`${space.url}/api/v0/space`, { headers })).status;

function hold(path: string, count: number, headers: Record<string, string>): ClientRequest[] {
  return Array.from({ length: count }, () => get(`${space.url}/api/v0${path}`, { headers, agent: false }).on('error', () => {}).on('response', (answer) => answer.resume().on('error', () => {})));
}

test('somebody who follows logs without end is refused more, others are not, and it ends with the connections', async () => {
  const { owner, member } = space;
  const bob = { authorization: `Bearer ${member.accessToken}` };
  const project = (await member.call('POST /apps', { name: 'follower' })).json<{ id: string }>().id;
  // Nothing is ever pushed, so its log has no end.
  const build = (await member.call('POST /builds', { app_id: project })).json<{ id: string }>().id;
  const held = hold(`/builds/${build}/logs?follow=true`, OPEN_REQUESTS_MAX, bob);
  const refused = await until(async () => {
    const answer = await send(`${space.url}/api/v0/space`, { headers: bob });
    return answer.status === 200 ? undefined : answer;
  });
  expect(refused.status).toBe(429);
  expect(refused.json()).toMatchObject({ code: 'TOO_MANY_OPEN', detail: expect.stringContaining(String(OPEN_REQUESTS_MAX)) });
  expect(await status({ authorization: `Bearer ${owner.accessToken}` })).toBe(200);
  for (const request of held) request.destroy();
  await until(async () => ((await status(bob)) === 200 ? true : undefined));
});

test('whoever only claims to be somebody takes no place of theirs', async () => {
  const { member } = space;
  const bob = { authorization: `Bearer ${member.accessToken}` };
  const [id] = member.accessToken.split('_');
  const forged = { 'x-deta-signature': `v0=${id}:${'0'.repeat(64)}`, 'x-deta-timestamp': String(Math.floor(Date.now() / 1000)), 'content-length': '1000000', 'content-type': 'application/json' };
  // Their bodies never come.
  const held = hold('/space', OPEN_REQUESTS_MAX, forged);
  await until(async () => {
    const answer = await send(`${space.url}/api/v0/space`, { headers: { 'x-deta-signature': forged['x-deta-signature'], 'x-deta-timestamp': forged['x-deta-timestamp'] } });
    return answer.status === 429 ? true : undefined;
  });
  expect(await status(bob)).toBe(200);
  for (const request of held) request.destroy();
});
