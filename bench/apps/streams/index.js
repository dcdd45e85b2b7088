// Takes any body and says how long it was; gives as many bytes as it is asked for.
const CHUNK = new Uint8Array(64 * 1024).fill(120);

export default {
  async fetch(request) {
    if (request.method === 'POST') return new Response(String(await lengthOf(request.body)));
    return new Response(bytes(Number(new URL(request.url).searchParams.get('bytes') ?? 0)));
  },
};

async function lengthOf(stream) {
  let length = 0;
  for await (const chunk of stream) length += chunk.length;
  return length;
}

function bytes(count) {
  let left = count;
  return new ReadableStream({
    pull(controller) {
      if (left === 0) return controller.close();
      const chunk = CHUNK.subarray(0, Math.min(left, CHUNK.length));
      left -= chunk.length;
      controller.enqueue(chunk);
    },
  });
}
