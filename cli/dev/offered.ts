// Owns the App Actions of a Micro that has a server of its own while it is developed: what it says it can be asked to do, and
// asking it, as a host does. @source reference 3.7
import { loopbackOf } from './free-port.ts';
import { Failure } from '../failure.ts';
import { plainText } from '../output.ts';

export interface OfferedAction { name: string; path: string; input: { name: string; type: 'string' | 'number' | 'boolean'; optional: boolean }[]; output: string }

const ASK_MS = 10_000;
const RUN_MS = 60_000;

/** @throws Failure ACTIONS_UNKNOWN when it does not say it as hosts expect */
export async function offeredBy(micro: string, port: number): Promise<OfferedAction[]> {
  const unknown = (why: string): Failure => new Failure({ code: 'ACTIONS_UNKNOWN', what: `\`${micro}\` does not say what it can be asked to do.`, why: `GET /__space/actions ${why}`, remedy: 'It answers with {"actions": [...]}, as docs/schedules.md has it.' });
  const answer = await ask(port, '/__space/actions', { signal: AbortSignal.timeout(ASK_MS) }).catch((error: unknown) => { throw unknown(`failed: ${error instanceof Error ? error.message : String(error)}`); });
  if (answer.status !== 200) throw unknown(`answered ${answer.status}`);
  const listed = (parsed(await answer.text()) as { actions?: unknown } | undefined)?.actions;
  if (!Array.isArray(listed)) throw unknown('answered with something else');
  return listed.flatMap((entry: Partial<OfferedAction> | null) => {
    if (typeof entry?.name !== 'string') return [];
    const { name, path = `/__space/actions/${encodeURIComponent(name)}`, input, output } = entry;
    return [{ name, path: path.startsWith('/') ? path : `/${path}`, input: Array.isArray(input) ? input : [], output: output ?? '@deta/raw' }];
  });
}

/** @throws Failure ACTION_FAILED */
export async function runOffered(micro: string, port: number, { action, inputs }: { action: OfferedAction; inputs: Record<string, unknown> }): Promise<{ type: string; data: unknown }> {
  const answer = await ask(port, action.path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(inputs), signal: AbortSignal.timeout(RUN_MS) });
  const text = await answer.text();
  if (answer.status >= 300) throw new Failure({ code: 'ACTION_FAILED', what: `\`${micro}\` answered with status ${answer.status}.`, why: text.split('\n').map(plainText).join('\n') || 'its answer is empty' });
  return { type: action.output, data: parsed(text) ?? text };
}

async function ask(port: number, path: string, init: RequestInit): Promise<Response> {
  const address = (await loopbackOf(port)) ?? 'localhost';
  return fetch(`http://${address.includes(':') ? `[${address}]` : address}:${port}${path}`, { ...init, redirect: 'manual' });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
