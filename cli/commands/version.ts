// Owns `space version`.
import { defineCommand } from '../command.ts';
import { VERSION } from '../version.ts';

export const versionCommand = defineCommand<object>({
  summary: 'print the version',
  configure: (command) => command,
  async run(context) {
    const platform = `${process.arch}-${process.platform}`;
    context.result({ version: VERSION, platform, node: process.versions.node }, `space ${VERSION} ${platform}`);
  },
});
