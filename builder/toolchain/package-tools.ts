// Owns what every Toolchain is told about this machine.
import type { Boxes } from '../../sandbox/box.ts';
import type { BuildLimits } from './box-workshop.ts';

export interface PackageTools {
  /** How npm is started, such as `['npm']` or `[node, npm-cli.js]`. */
  npmCommand: readonly [string, ...string[]];
  /** PATH of what a build starts. */
  toolPath: string;
  /** Variables that every build may see, such as the host's extra certificates or proxy. Never secrets. */
  toolEnv: Record<string, string>;
  /** Where downloaded packages are kept, one folder a Space. */
  cacheFolder: string;
  /** Whether what the source says may be run without a sandbox. */
  allowsCommands: boolean;
  /** The sandbox in which it runs otherwise; where there is none, nothing of it is run. */
  boxes?(): Promise<Boxes | undefined>;
  /** Hosts that a build may reach beside package registries. */
  buildHosts?: readonly string[];
  /** Instead of the usual ones. */
  buildLimits?: Partial<BuildLimits>;
}
