// Owns a Micro's folder on the disk and a job of a Toolchain over it, for tests.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { createReadStream } from 'node:fs';
import type { ArtifactSource } from '../../builder/artifact.ts';
import { createBackground } from '../../builder/background.ts';
import type { Workbench } from '../../builder/background.ts';
import type { PackageTools } from '../../builder/toolchain/package-tools.ts';
import type { Package, Toolchain, ToolchainJob } from '../../builder/toolchain/toolchain.ts';
import type { SpacefileMicro } from '../../spacefile-schema/types.ts';

/** The bench of every job: threads end by themselves once nobody asks. */
const background = createBackground();
export const bench: Workbench = { run: (task, input, signal) => background.lend((lent) => lent.run(task, input, signal)) };

export interface TestJob extends ToolchainJob {
  /** Parent of the Micro's folder. */
  base: string;
  lines: string[];
  clear(): Promise<void>;
}

export async function toolchainJob(files: Record<string, string | Buffer>, micro: Partial<SpacefileMicro> = {}): Promise<TestJob> {
  const base = await mkdtemp(join(tmpdir(), 'toolchain-'));
  const folder = join(base, 'source', 'api');
  await mkdir(join(base, 'scratch'));
  await mkdir(folder, { recursive: true });
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
  const lines: string[] = [];
  return {
    base, folder, lines, sourceFolder: join(base, 'source'), scratchFolder: join(base, 'scratch'), spaceId: 'space1',
    micro: {
      name: 'api', src: 'api', engine: 'isolate', primary: true, path: '/', commands: [], include: [],
      presets: { env: [], apiKeys: false }, publicRoutes: [], provideActions: false, actions: [], ...micro,
    },
    report: (line) => lines.push(line),
    bench,
    signal: new AbortController().signal,
    clear: () => rm(base, { recursive: true, force: true }),
  };
}

/** Some machines reach registries only with a certificate of their own. */
const CERTIFICATES = process.env['NODE_EXTRA_CA_CERTS'];
const CERTIFICATE_ENV: Record<string, string> = CERTIFICATES ? { NODE_EXTRA_CA_CERTS: CERTIFICATES, PIP_CERT: CERTIFICATES } : {};

/** This machine's own tools, without a sandbox. */
export function bareTools(job: TestJob, more: Partial<PackageTools> = {}): PackageTools {
  return {
    npmCommand: ['npm'], toolPath: `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`, toolEnv: CERTIFICATE_ENV, cacheFolder: join(job.base, 'cache'), allowsCommands: true, ...more,
  };
}

export async function packageOf(toolchain: Toolchain, job: ToolchainJob): Promise<Package> {
  await toolchain.detect(job);
  await toolchain.install(job);
  return toolchain.build(job);
}

export async function contentOf(source: ArtifactSource | undefined): Promise<Buffer> {
  if (!source) throw new Error('there is no such file in the package');
  return 'content' in source ? Buffer.from(source.content) : buffer(createReadStream(source.path));
}
