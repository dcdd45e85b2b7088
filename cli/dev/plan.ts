// Owns who runs which Micro of a project while it is developed: a command of its developer, or the host of `space dev`.
// Pure but for the Spacefile that `change` writes.
import { parse, stringify } from 'yaml';
import { ENGINES } from '../../spacefile-schema/engines.ts';
import type { SpacefileMicro } from '../../spacefile-schema/types.ts';
import type { LoadedSpacefile } from '../project-dir.ts';
import type { SourceChange } from '../source-zip.ts';

export interface DevPlan {
  micros: SpacefileMicro[];
  /** Name of a Micro -> its own server's command. The host runs the others. */
  commands: ReadonlyMap<string, string>;
  /** As the host gets it. */
  loaded: LoadedSpacefile;
  change: SourceChange;
  /** Does the host have to build anew when this file changes? */
  concernsHost(path: string): boolean;
}

/** A Micro that has a server of its own keeps its place in routing; at the host an empty folder stands for it. */
const STAND_IN = 'space-dev-stand-in';

/** @param isOwnServer false: the host runs every Micro, as after a push */
export function planDev(loaded: LoadedSpacefile, isOwnServer: (micro: SpacefileMicro) => boolean = () => true): DevPlan {
  const { micros } = loaded.spacefile;
  const commands = new Map(micros.filter(isOwnServer).flatMap((micro) => {
    const command = micro.dev ?? ENGINES[micro.engine].devCommand;
    return command === undefined ? [] : [[micro.name, command] as const];
  }));
  const hosted = micros.filter(({ name }) => !commands.has(name));
  const isHosted = (path: string): boolean => hosted.some(({ src }) => isBelow(src, path));
  const isLeft = (path: string): boolean => !isHosted(path) && micros.some(({ name, src }) => commands.has(name) && src !== '.' && isBelow(src, path));
  const text = commands.size === 0 ? loaded.text : withStandIns(loaded.text, commands);
  return {
    micros, commands, loaded: { ...loaded, text },
    change: { leaves: isLeft, texts: commands.size === 0 ? {} : { Spacefile: text, [`${STAND_IN}/index.html`]: '' } },
    concernsHost: (path) => path === loaded.spacefile.icon || isHosted(path),
  };
}

function isBelow(folder: string, path: string): boolean {
  return folder === '.' || path === folder || path.startsWith(`${folder}/`);
}

interface DocumentMicro { name: string; primary?: boolean; path?: string; public?: boolean; public_routes?: string[] }

/** Keeps what routing needs; env values are the own server's, not the host's. */
function withStandIns(text: string, commands: ReadonlyMap<string, string>): string {
  const document = parse(text) as { micros: DocumentMicro[] };
  const micros = document.micros.map((micro) => {
    if (!commands.has(micro.name)) return micro;
    const { name, primary, path, public: isPublic, public_routes } = micro;
    return { name, src: '.', engine: 'static', serve: STAND_IN, primary, path, public: isPublic, public_routes };
  });
  return stringify({ ...document, micros });
}
