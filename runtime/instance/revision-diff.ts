// Owns what is different between two Revisions, in sentences for whoever decides on an update. Pure.
import type { RevisionMicro } from '../../builder/revision.ts';

export interface RevisionChange {
  kind: 'public_route' | 'permission' | 'micro' | 'engine' | 'path' | 'schedule' | 'app_actions' | 'env' | 'api_keys';
  change: 'added' | 'removed' | 'changed';
  /** Empty for the app as a whole. */
  micro: string;
  /** Route, variable, schedule or the like. */
  what: string;
  before: string | null;
  after: string | null;
  /** For people. */
  text: string;
}

type Micro = Pick<RevisionMicro, 'name' | 'engine' | 'path' | 'runs' | 'presets' | 'publicRoutes' | 'provideActions' | 'actions'>;

const ORDER: readonly RevisionChange['kind'][] = ['public_route', 'permission', 'micro', 'engine', 'path', 'schedule', 'app_actions', 'env', 'api_keys'];

/** What opens the app to others comes first. */
export function revisionChanges(before: readonly Micro[], after: readonly Micro[]): RevisionChange[] {
  const names = [...new Set([...after, ...before].map(({ name }) => name))];
  const changes = names.flatMap((name) => {
    const [old, fresh] = [before, after].map((micros) => micros.find((micro) => micro.name === name));
    return microChanges(name, old, fresh);
  });
  return [...changes, ...permissionChanges(before, after)].toSorted((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind));
}

/** What the app may do, in plain sentences. */
export function permissionsOf(micros: readonly Micro[]): string[] {
  return [
    'Keep data and files of its own. It cannot reach those of your other apps.',
    ...(micros.some(({ runs }) => runs !== 'static') ? ['Run code on this host, and call services on the internet.'] : []),
    ...(micros.some(({ publicRoutes }) => publicRoutes.length > 0) ? ['Show some of its pages to people who are not signed in.'] : []),
    ...(micros.some(({ presets }) => presets.apiKeys) ? ['Let programs in that hold a key which you make.'] : []),
    ...(micros.some(({ actions }) => actions.length > 0) ? ['Do things by itself on a schedule.'] : []),
  ];
}

function permissionChanges(before: readonly Micro[], after: readonly Micro[]): RevisionChange[] {
  const [old, fresh] = [permissionsOf(before), permissionsOf(after)];
  const change = (how: 'added' | 'removed', what: string): RevisionChange =>
    entry({ kind: 'permission', micro: '', what }, how === 'added' ? [null, what] : [what, null], how === 'added' ? `It may from now on: ${what}` : `It may no longer: ${what}`);
  return [...fresh.filter((each) => !old.includes(each)).map((each) => change('added', each)), ...old.filter((each) => !fresh.includes(each)).map((each) => change('removed', each))];
}

type Head = Pick<RevisionChange, 'kind' | 'micro' | 'what'>;

function entry(head: Head, [before, after]: [string | null, string | null], text: string): RevisionChange {
  return { ...head, change: before === null ? 'added' : after === null ? 'removed' : 'changed', before, after, text };
}

function microChanges(name: string, old: Micro | undefined, fresh: Micro | undefined): RevisionChange[] {
  if (!fresh) return old ? [entry({ kind: 'micro', micro: name, what: name }, [old.path, null], `The Micro \`${name}\` at \`${old.path}\` goes.`)] : [];
  const existence = old ? [] : [entry({ kind: 'micro', micro: name, what: name }, [null, fresh.path], `There is a new Micro \`${name}\` (${fresh.engine}) at \`${fresh.path}\`.`)];
  return [
    ...existence, ...(old ? [...engineChange(old, fresh), ...pathChange(old, fresh)] : []),
    ...routeChanges(old, fresh), ...scheduleChanges(old, fresh), ...actionsChange(old, fresh), ...envChanges(old, fresh), ...keysChange(old, fresh),
  ];
}

function engineChange(old: Micro, { name, engine }: Micro): RevisionChange[] {
  return old.engine === engine ? [] : [entry({ kind: 'engine', micro: name, what: name }, [old.engine, engine], `\`${name}\` runs on \`${engine}\` and no longer on \`${old.engine}\`.`)];
}

function pathChange(old: Micro, { name, path }: Micro): RevisionChange[] {
  return old.path === path ? [] : [entry({ kind: 'path', micro: name, what: name }, [old.path, path], `\`${name}\` moves from \`${old.path}\` to \`${path}\`.`)];
}

/** As a visitor sees them: below the path of the Micro. */
function openRoutes(micro: Micro | undefined): string[] {
  return (micro?.publicRoutes ?? []).map((route) => (micro!.path === '/' ? route : micro!.path + route));
}

function routeChanges(old: Micro | undefined, fresh: Micro): RevisionChange[] {
  const head = (what: string): Head => ({ kind: 'public_route', micro: fresh.name, what });
  return compared(openRoutes(old), openRoutes(fresh), {
    added: (route) => entry(head(route), [null, route], `\`${route}\` is open to everybody from now on, without signing in.`),
    removed: (route) => entry(head(route), [route, null], `\`${route}\` is no longer open to everybody.`),
  });
}

function scheduleChanges(old: Micro | undefined, fresh: Micro): RevisionChange[] {
  const intervals = (micro: Micro | undefined) => new Map((micro?.actions ?? []).map(({ id, name, defaultInterval }) => [id, { name, interval: defaultInterval }]));
  const [before, after] = [intervals(old), intervals(fresh)];
  const head = (id: string): Head => ({ kind: 'schedule', micro: fresh.name, what: id });
  return [...new Set([...after.keys(), ...before.keys()])].flatMap((id) => {
    const [was, is] = [before.get(id), after.get(id)];
    if (was && is) return was.interval === is.interval ? [] : [entry(head(id), [was.interval, is.interval], `\`${is.name}\` runs by itself at another interval: ${is.interval}, until now ${was.interval}.`)];
    if (is) return [entry(head(id), [null, is.interval], `\`${is.name}\` runs by itself from now on: ${is.interval}.`)];
    return was ? [entry(head(id), [was.interval, null], `\`${was.name}\` no longer runs by itself.`)] : [];
  });
}

function actionsChange(old: Micro | undefined, { name, provideActions }: Micro): RevisionChange[] {
  if ((old?.provideActions ?? false) === provideActions) return [];
  const head: Head = { kind: 'app_actions', micro: name, what: name };
  return [provideActions ? entry(head, [null, 'yes'], `\`${name}\` offers actions that other apps of yours can use.`) : entry(head, ['yes', null], `\`${name}\` offers no actions to other apps any more.`)];
}

function envChanges(old: Micro | undefined, fresh: Micro): RevisionChange[] {
  const values = (micro: Micro | undefined) => new Map((micro?.presets.env ?? []).map((variable) => [variable.name, variable]));
  const [before, after] = [values(old), values(fresh)];
  const head = (what: string): Head => ({ kind: 'env', micro: fresh.name, what });
  return [...new Set([...after.keys(), ...before.keys()])].flatMap((name) => {
    const [was, is] = [before.get(name), after.get(name)];
    if (!is) return [entry(head(name), [was?.default ?? '', null], `\`${fresh.name}\` does not use the variable \`${name}\` any more.`)];
    if (!was) return [entry(head(name), [null, is.default ?? ''], `\`${fresh.name}\` has a new variable \`${name}\`${is.default ? `, \`${is.default}\` unless you set it` : ''}${is.description ? `: ${is.description}` : ''}.`)];
    return was.default === is.default ? [] : [entry(head(name), [was.default ?? '', is.default ?? ''], `The variable \`${name}\` of \`${fresh.name}\` is \`${is.default ?? ''}\` unless you set it; until now \`${was.default ?? ''}\`.`)];
  });
}

function keysChange(old: Micro | undefined, { name, presets: { apiKeys } }: Micro): RevisionChange[] {
  if ((old?.presets.apiKeys ?? false) === apiKeys) return [];
  const head: Head = { kind: 'api_keys', micro: name, what: name };
  return [apiKeys ? entry(head, [null, 'yes'], `Programs can call \`${name}\` with an API key of this app.`) : entry(head, ['yes', null], `API keys no longer open \`${name}\`.`)];
}

function compared(old: readonly string[], fresh: readonly string[], to: Record<'added' | 'removed', (what: string) => RevisionChange>): RevisionChange[] {
  return [...fresh.filter((each) => !old.includes(each)).map(to.added), ...old.filter((each) => !fresh.includes(each)).map(to.removed)];
}
