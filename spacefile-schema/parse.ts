// Owns the way from the text of a Spacefile to a Spacefile with every default filled in, or to all that is wrong with it.
// Pure: whether `icon`, `src` and the rest exist is for whoever has the disk to check.
import { parseYaml } from './document.ts';
import { ENGINES, engineNamed } from './engines.ts';
import type { EngineName } from './engines.ts';
import { tidyIssues } from './issue.ts';
import { relativePath, urlPrefix } from './location.ts';
import { shapeIssues } from './shape.ts';
import type { Spacefile, SpacefileMicro, SpacefileResult } from './types.ts';
import { ruleIssues } from './validate.ts';

/** Never throws, and ends quickly on any text: every way to be wrong is an issue, at most 50 of them in the order of the text.
 *  @source Deta Space, Spacefile v0 */
export function parseSpacefile(text: string): SpacefileResult {
  const document = parseYaml(text);
  if (document.value === undefined) return { spacefile: undefined, issues: tidyIssues(document.issues) };
  const issues = tidyIssues([...document.issues, ...shapeIssues(document), ...ruleIssues(document)]);
  return issues.length > 0 ? { spacefile: undefined, issues } : { spacefile: spacefileOf(document.value as Source), issues: [] };
}

/** A document without issues, as written. */
interface Source {
  icon?: string;
  app_name?: string;
  auto_pwa?: boolean;
  micros: MicroSource[];
}

interface MicroSource {
  name: string;
  src: string;
  engine: string;
  primary?: boolean;
  path?: string;
  serve?: string;
  commands?: string[];
  include?: string[];
  run?: string;
  dev?: string;
  presets?: { env?: { name: string; description?: string; default?: string }[]; api_keys?: boolean };
  public?: boolean;
  public_routes?: string[];
  provide_actions?: boolean;
  actions?: { id: string; name: string; description?: string; trigger: 'schedule'; default_interval: string; path?: string }[];
}

function spacefileOf(source: Source): Spacefile {
  const isAlone = source.micros.length === 1;
  return {
    v: 0,
    ...(source.icon !== undefined && { icon: inside(source.icon) }),
    ...(source.app_name !== undefined && { appName: source.app_name }),
    autoPwa: source.auto_pwa ?? true,
    micros: source.micros.map((micro) => microOf(micro, isAlone || micro.primary === true)),
  };
}

function microOf(source: MicroSource, primary: boolean): SpacefileMicro {
  const engine = engineNamed(source.engine) as EngineName;
  const { runs, defaultServe, defaultRun } = ENGINES[engine];
  const serve = source.serve ?? defaultServe;
  const run = runs === 'isolate' ? inside(source.run ?? defaultRun ?? 'index.js') : source.run;
  return {
    name: source.name,
    src: inside(source.src),
    engine,
    primary,
    path: primary ? '/' : urlPrefix(source.path ?? source.name) ?? `/${source.name}`,
    ...(serve !== undefined && { serve: inside(serve) }),
    commands: source.commands ?? [],
    include: (source.include ?? []).map(inside),
    ...(run !== undefined && { run }),
    ...(source.dev !== undefined && { dev: source.dev }),
    presets: presetsOf(source.presets),
    publicRoutes: source.public === true ? ['/*'] : source.public_routes ?? [],
    provideActions: source.provide_actions ?? false,
    actions: actionsOf(source.actions),
  };
}

function presetsOf(source: MicroSource['presets']): SpacefileMicro['presets'] {
  const env = (source?.env ?? []).map(({ name, description = '', default: value }) => ({ name, description, ...(value !== undefined && { default: value }) }));
  return { env, apiKeys: source?.api_keys ?? false };
}

function actionsOf(source: MicroSource['actions']): SpacefileMicro['actions'] {
  return (source ?? []).map(({ id, name, description = '', trigger, default_interval, path }) => ({
    id, name, description, trigger, defaultInterval: default_interval.trim(), ...(path !== undefined && { path }),
  }));
}

/** The rules have refused what leads outside. */
function inside(path: string): string {
  return relativePath(path) ?? '.';
}
