// Owns a Micro that evaluates what a test asks: for tests of the web API inside an isolate.
import { createTestInstance, type IsolateBench, openIsolateBench, type TestInstance } from './isolate-instance.ts';
import type { IsolateEngineOptions } from '../../runtime/engine/isolate.ts';

const CODE = `export default {
  async fetch(request) {
    try {
      return Response.json(await (0, eval)(await request.text()) ?? null);
    } catch (error) {
      return Response.json({ thrown: error?.name ?? String(error), message: error?.message });
    }
  },
};`;

export interface Inside {
  bench: IsolateBench;
  instance: TestInstance;
  /** What an expression, which may use await, gives as JSON; what it throws as { thrown, message }. */
  evaluate(expression: string): Promise<any>;
  close(): Promise<void>;
}

export async function openInside(options: Partial<IsolateEngineOptions> = {}): Promise<Inside> {
  const bench = await openIsolateBench(options);
  const instance = createTestInstance(bench.engine, CODE);
  const evaluate = async (expression: string): Promise<any> => (await instance.call('/', { method: 'POST', body: `(async () => (${expression}))()` })).json();
  return { bench, instance, evaluate, close: () => bench.close() };
}
