// Owns `space api`: any path of the control plane, as it answers. For scripts, and for what no command is for yet.
import { execFileSync } from 'node:child_process';
import { Option } from 'commander';
import { defineCommand } from '../command.ts';
import { EXIT_OK, Failure, usageFailure } from '../failure.ts';
import type { Io } from '../io.ts';

interface Options { method?: string; jq?: string; body?: string }

const METHODS = ['GET', 'POST', 'PATCH', 'DELETE'];

export const apiCommand = defineCommand<Options>({
  summary: 'call the HTTP API of the host as yourself',
  configure: (command) =>
    command
      .argument('<path>', 'such as /v0/instances; docs/http-api.md lists them')
      .addOption(new Option('-X, --method <method>', 'HTTP method (default: GET; with a body POST)').choices(METHODS))
      .option('--body <json>', 'JSON to send; without it what stdin brings, where that is no terminal')
      .option('--jq <filter>', 'show what this filter of the program `jq` makes of the answer'),
  async run(context, options, [path = '']) {
    const { io } = context;
    const body = options.body ?? (io.isInteractive || options.method === 'GET' ? '' : await readPiped(io));
    const method = options.method ?? (body === '' ? 'GET' : 'POST');
    if (method === 'GET' && body !== '') throw usageFailure('A GET has no body.', 'Leave the body out, or give another --method.');
    const api = await context.api();
    const answer = await api.transport.open(method, cleanPath(path), body === '' ? {} : { body: checkedJson(body), contentType: 'application/json' });
    const text = await answer.text();
    io.out((options.jq === undefined ? pretty(text) : runJq(options.jq, text)).replace(/\n$/, ''));
    return EXIT_OK;
  },
});

/** A terminal of a script may have nothing to say, and never say so. */
async function readPiped(io: Io): Promise<string> {
  return (await io.readStdin()).trim();
}

/** `/api/v0/x` and `v0/x` are meant as `/v0/x`. */
function cleanPath(path: string): string {
  const clean = path.startsWith('/') ? path : `/${path}`;
  if (/^\/(api\/)?v0\//.test(clean)) return clean.replace(/^\/api\//, '/');
  throw usageFailure(`\`${path}\` is no path of the HTTP API.`, 'They begin with /v0/, such as /v0/instances.');
}

function checkedJson(body: string): string {
  try {
    JSON.parse(body);
    return body;
  } catch (error) {
    throw usageFailure(`The body is not JSON: ${(error as Error).message}.`, 'Give a JSON document with --body, or on stdin.');
  }
}

function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function runJq(filter: string, input: string): string {
  try {
    return execFileSync('jq', [filter], { input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] });
  } catch (error) {
    const { code, stderr = '' } = error as { code?: unknown; stderr?: string };
    if (code === 'ENOENT') throw new Failure({ code: 'JQ_MISSING', what: 'The program `jq` is not installed.', remedy: 'Install it, or read the JSON without --jq.' });
    throw usageFailure(`jq does not understand this filter: ${stderr.trim()}`, 'Its manual: https://jqlang.org/manual/.');
  }
}
