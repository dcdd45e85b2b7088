// Owns the choice where programs of a build run: in a box, or bare where the owner of the host said so in words.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { boxWorkshop } from './box-workshop.ts';
import { prepareCache, withCache } from './build-cache.ts';
import { runCommand } from './command.ts';
import type { PackageTools } from './package-tools.ts';
import { assertSound } from './source-file.ts';
import type { ToolchainJob } from './toolchain.ts';
import { environment, GIVEN, MAX_OUTPUT_BYTES } from './workshop.ts';
import type { Places, Workshop } from './workshop.ts';

/** Undefined where nothing that a source says may be run. */
export async function openWorkshop(job: ToolchainJob, tools: PackageTools): Promise<Workshop | undefined> {
  const boxes = tools.allowsCommands ? undefined : await tools.boxes?.();
  if (!tools.allowsCommands && !boxes) return undefined;
  const places = { folder: job.folder, scratch: join(job.scratchFolder, 'workshop'), cache: join(tools.cacheFolder, 'programs', job.spaceId), given: join(job.scratchFolder, GIVEN) };
  await mkdir(places.given, { recursive: true });
  const isFirst = await mkdir(places.scratch, { recursive: true });
  if (isFirst !== undefined) {
    await prepareCache(places.cache);
    // Once: later, links of the build's own making may lie there.
    await Promise.all(['home', 'tmp'].map((name) => mkdir(join(places.scratch, name))));
  }
  const workshop = boxes ? boxWorkshop(job, tools, { outside: places, boxes }) : bareWorkshop(job, tools, places);
  if (isFirst !== undefined) await callByName(places.given, workshop.npm);
  return { ...workshop, run: (program) => withCache(places.cache, () => workshop.run(program)) };
}

/** Lines of a Spacefile say `npm`, wherever on this machine it lies. */
async function callByName(given: string, [program, script]: Workshop['npm']): Promise<void> {
  if (script === undefined) return;
  await mkdir(join(given, 'bin'), { recursive: true });
  for (const name of ['npm', 'npx']) {
    const path = script.replace(/npm-cli\.(c?js)$/, `${name}-cli.$1`);
    await writeFile(join(given, 'bin', name), `#!/bin/sh\nexec '${program}' '${path}' "$@"\n`, { mode: 0o755 });
  }
}

function bareWorkshop(job: ToolchainJob, tools: PackageTools, places: Places): Workshop {
  return {
    places,
    toolPath: tools.toolPath,
    npm: tools.npmCommand,
    async run({ argv, env, timeoutMs }) {
      const end = await runCommand({
        argv, timeoutMs, folder: job.folder, maxOutputBytes: MAX_OUTPUT_BYTES, signal: job.signal,
        env: { ...tools.toolEnv, ...environment(places, tools.toolPath), ...env },
        report: (line) => job.report(`[${job.micro.name}] ${line}`),
      });
      await assertSound(job);
      if (end === 'ok') return { ok: true };
      return { ok: false, reason: end === 'timeout' ? `took longer than ${timeoutMs / 1000} seconds` : end === 'missing' ? 'is not installed here' : 'failed; the lines above say why' };
    },
  };
}
