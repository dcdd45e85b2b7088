// Owns `space logs`: what the Micros of an Instance print, kept or as it happens.
import type { WireLogLine } from '../../core/wire.ts';
import { findBuilderInstance, findInstance } from '../choose-instance.ts';
import { defineCommand, withDir, withProjectId } from '../command.ts';
import { EXIT_OK } from '../failure.ts';
import type { Colors } from '../io.ts';
import { formatTime, plainText } from '../output.ts';
import { findProjectDir, findProjectId } from '../project-dir.ts';

interface Options { dir?: string; id?: string; instance?: string; follow?: true; micro?: string; level?: string; request?: string }

export const logsCommand = defineCommand<Options>({
  summary: 'show what an app prints',
  configure: (command) =>
    withProjectId(withDir(command))
      .option('-f, --follow', 'go on with what comes, until Ctrl-C')
      .option('--instance <instance>', 'id, alias or address (default: the Builder Instance of this project)')
      .option('-m, --micro <name>', 'only this Micro')
      .option('-l, --level <level>', 'only this level and what is worse: debug, info, warn or error')
      .option('-r, --request <id>', 'only what this request made it print'),
  async run(context, options) {
    const { io } = context;
    const projectId = options.instance === undefined ? await findProjectId(await findProjectDir(io, options.dir), options.id) : '';
    const api = await context.api();
    const instance = options.instance === undefined ? await findBuilderInstance(api, projectId) : await findInstance(api, options.instance);
    let count = 0;
    try {
      for await (const line of api.instanceLogs(instance.id, options.follow, { micro: options.micro, level: options.level, request_id: options.request })) {
        count += 1;
        io.out(context.isJson ? JSON.stringify(line) : formatLine(line, io.colors));
      }
    } catch (error) {
      // Ctrl-C is how following ends.
      if (!(options.follow && io.signal.aborted)) throw error;
    }
    if (count === 0 && !options.follow) context.note(`${instance.app_name} printed nothing like that yet.`);
    return EXIT_OK;
  },
});

function formatLine(line: WireLogLine, colors: Colors): string {
  const paint = { debug: colors.dim, info: (text: string) => text, warn: colors.yellow, error: colors.red }[line.level] ?? String;
  const [first = '', ...rest] = line.text.split('\n').map(plainText);
  const head = `${colors.dim(formatTime(line.time))} ${colors.cyan(line.micro)} `;
  return [`${head}${paint(first)}`, ...rest.map((row) => `         ${paint(row)}`)].join('\n');
}
