// Owns `space print-access-token`: the token that this machine is signed in with, for other programs.
import { defineCommand } from '../command.ts';
import { findLogin } from '../credentials.ts';

export const printAccessTokenCommand = defineCommand<object>({
  summary: 'print the access token of this machine; whoever has it is you',
  configure: (command) => command,
  async run(context) {
    const { root, accessToken } = await findLogin(context.io);
    context.result({ root, access_token: accessToken }, accessToken);
  },
});
