// Owns jobs that the Cell does itself, beside the isolate: keys and compression. Bytes are copied both ways; the host never hears of them.
import { callJob } from './bridge.ts';
import { joinBytes } from './buffer-source.ts';
import { DOMException } from './dom-exception.ts';

const ERRORS: Record<string, ErrorConstructor> = { TypeError, RangeError };
const { parse, stringify } = JSON;

/** @param question may hold Uint8Arrays, which are read now. @throws what the Cell says */
export async function callCell(question: unknown[]): Promise<any> {
  const parts: Uint8Array[] = [];
  let size = 0;
  const text = stringify(question, (_, item: unknown) => {
    if (!(item instanceof Uint8Array)) return item;
    parts[parts.length] = item;
    size += item.length;
    return { $bytes: [size - item.length, size] };
  });
  const { meta, body } = await callJob(text, size === 0 ? null : joinBytes(parts));
  const bytes = body instanceof ArrayBuffer ? new Uint8Array(body) : new Uint8Array(0);
  const answer = parse(meta, (_, value: { $bytes?: [number, number] } | null) => (value?.$bytes ? bytes.subarray(...value.$bytes) : value)) as { value?: unknown; error?: string; message?: string };
  if (answer.error !== undefined) throw jobError(answer.error, answer.message ?? '');
  return answer.value;
}

function jobError(name: string, message: string): Error {
  return Object.hasOwn(ERRORS, name) ? new ERRORS[name]!(message) : new DOMException(message, name);
}
