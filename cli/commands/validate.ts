// Owns `space validate`: everything about a project that can be told without a host.
import { formatIssues } from '../../spacefile-schema/issue.ts';
import { parseSpacefile } from '../../spacefile-schema/parse.ts';
import { defineCommand, withDir } from '../command.ts';
import { EXIT_FAILED, EXIT_OK } from '../failure.ts';
import { iconProblems } from '../icon.ts';
import { count, formatFailure } from '../output.ts';
import { findProjectDir, missingSources, missingSpacefile, readSpacefileText } from '../project-dir.ts';

export const validateCommand = defineCommand<{ dir?: string }>({
  summary: 'check the Spacefile',
  configure: withDir,
  async run(context, options) {
    const dir = await findProjectDir(context.io, options.dir);
    const text = await readSpacefileText(dir);
    if (text === undefined) throw missingSpacefile(dir);
    const { spacefile, issues } = parseSpacefile(text);
    const problems = spacefile === undefined ? [] : [...(await missingSources(dir, spacefile)), ...(await iconProblems(dir, spacefile.icon))];
    const isValid = spacefile !== undefined && problems.length === 0;
    if (context.isJson) context.io.out(JSON.stringify({ valid: isValid, issues, problems }));
    if (isValid) {
      if (!context.isJson) context.io.out(`The Spacefile is valid: ${spacefile.micros.map((micro) => micro.name).join(', ')}.`);
      return EXIT_OK;
    }
    const report = [issues.length > 0 ? formatIssues(issues, text) : '', ...problems].filter((part) => part !== '').join('\n');
    const what = `${count(issues.length + problems.length, 'problem')} in ${dir}:\n${report}`;
    context.io.err(formatFailure({ code: 'SPACEFILE_INVALID', what, remedy: 'Correct the Spacefile, then check again.' }, context.io.colors));
    return EXIT_FAILED;
  },
});
