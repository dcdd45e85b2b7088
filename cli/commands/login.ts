// Owns `space login`: by name and password, or with an access token; stored once the host has accepted it.
import { hostname } from 'node:os';
import { createApi } from '../../client/api.ts';
import { ApiError } from '../../client/transport.ts';
import { clientName, defineCommand } from '../command.ts';
import type { Context } from '../command.ts';
import { findRoot, isAccessToken, normalizeRoot, storeLogin } from '../credentials.ts';
import { Failure, usageFailure } from '../failure.ts';

interface Options { withToken?: true; username?: string; root?: string }

export const loginCommand = defineCommand<Options>({
  summary: 'sign in to a host',
  configure: (command) =>
    command
      .option('-t, --with-token', 'use an access token, read from stdin')
      .option('-u, --username <name>', 'sign in by name; the password is asked for, or read from stdin')
      .option('--root <url>', 'control plane of the host, such as http://localhost:4400/api'),
  async run(context, options) {
    if (options.withToken && options.username !== undefined) throw usageFailure('--with-token and --username exclude each other.');
    const root = options.root === undefined ? await findRoot(context.io) : normalizeRoot(options.root);
    const accessToken = await obtainToken(context, root, options);
    const space = await createApi({ root, accessToken, clientName: clientName(), signal: context.io.signal }).getSpace().catch(explainRefusal);
    await storeLogin(context.io, { root, accessToken });
    if (context.io.env.SPACE_ACCESS_TOKEN) context.note('SPACE_ACCESS_TOKEN is set: while it is, it wins over this sign-in.');
    context.result({ root, space: { id: space.id, name: space.name } }, `Signed in to ${root} as ${space.name}.`);
  },
});

async function obtainToken(context: Context, root: string, options: Options): Promise<string> {
  const { io } = context;
  if (options.username !== undefined || (!options.withToken && io.isInteractive)) return signIn(context, root, options.username);
  if (!options.withToken) throw usageFailure('There is no terminal to ask in.', 'Pipe an access token in: `space login --with-token < FILE`. Or a password: `space login --username NAME < FILE`.');
  const token = (io.isInteractive ? await io.prompts.secret('Access token') : await io.readStdin()).trim();
  if (isAccessToken(token)) return token;
  throw new Failure({ code: 'TOKEN_INVALID', what: token === '' ? 'The access token is empty.' : 'This is not an access token.', why: 'An access token has two parts with one `_` between them.', remedy: 'Copy all of it; it was shown once, when it was made.' });
}

/** A token of its own for this machine, so that it can be withdrawn alone. */
async function signIn(context: Context, root: string, given: string | undefined): Promise<string> {
  const { io } = context;
  const username = given ?? (await io.prompts.text(`Your name at ${root}`));
  const password = io.isInteractive ? await io.prompts.secret('Password') : (await io.readStdin()).replace(/\r?\n$/, '');
  const host = { root, clientName: clientName(), signal: io.signal };
  const cookie = await createApi(host).logIn({ username: username.trim(), password }).catch(explainWrongPassword);
  const session = createApi({ ...host, headers: { cookie, origin: new URL(root).origin } });
  const { access_token } = await session.createToken(`space on ${hostname()}`.slice(0, 64));
  // The token lives on; the session was only needed to make it.
  await session.logOut().catch(() => {});
  return access_token;
}

function explainRefusal(error: unknown): never {
  if (!(error instanceof ApiError) || error.status !== 401) throw error;
  throw new Failure({ code: error.code, what: 'The host does not accept this access token.', why: 'It was withdrawn, has expired, or belongs to another host.', remedy: 'Sign in by name: `space login`. For another host: --root URL.' }, { cause: error });
}

function explainWrongPassword(error: unknown): never {
  if (!(error instanceof ApiError) || error.status !== 401) throw error;
  throw new Failure({ code: error.code, what: error.message, remedy: 'Try again. The owner of the host can help when the password is lost.', requestId: error.requestId }, { cause: error });
}
