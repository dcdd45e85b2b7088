// Owns what a program in a box said until its end.
import type { Box } from '../../sandbox/box.ts';

export interface Said { out: string; code: number | null }

export async function said(box: Box): Promise<Said> {
  let out = '';
  for (const stream of [box.stdout, box.stderr]) stream.on('data', (chunk: Buffer) => (out += chunk.toString()));
  const closed = Promise.all([box.stdout, box.stderr].map((stream) => new Promise((resolve) => stream.once('close', resolve))));
  const { code } = await box.ended;
  await closed;
  return { out: out.trim(), code };
}
