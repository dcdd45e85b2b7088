// Owns the life of one `space dev`: what is started and in which order, what a change of a file sets off, and that all of it ends.
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { WireInstance } from '../../core/wire.ts';
import type { SpacefileMicro } from '../../spacefile-schema/types.ts';
import { pushProject } from '../commands/push.ts';
import type { Context } from '../command.ts';
import { Failure, describeFailure } from '../failure.ts';
import { formatFailure } from '../output.ts';
import { loadSpacefile, readMeta } from '../project-dir.ts';
import { freePort } from './free-port.ts';
import { startDevHost } from './host.ts';
import type { DevHost } from './host.ts';
import { openLeash } from './leash.ts';
import type { Leash } from './leash.ts';
import { createLiveReload } from './live-reload.ts';
import { createDevOutput } from './output.ts';
import type { DevOutput } from './output.ts';
import { dataOfHost, presetValues, runningPort, startOwnServer } from './own-server.ts';
import type { DataAccess, OwnServer } from './own-server.ts';
import { planDev } from './plan.ts';
import type { DevPlan } from './plan.ts';
import { openProxy } from './proxy.ts';
import type { ProxyState } from './proxy.ts';
import { removeSession, writeSession } from './session.ts';
import { watchProject } from './watch.ts';

export interface DevOptions {
  dir: string;
  port: number | undefined;
  /** Whether commands of the Spacefile are started; otherwise only those count that run already. */
  startsServers: boolean;
  /** Flags of the host. */
  hostArgs: readonly string[];
  /** Once the host stands, before the first build is used. */
  prepare(host: DevHost, instance: WireInstance): Promise<void>;
  onReady(url: string): Promise<void>;
}

/** What everything here shares. */
interface Stage {
  context: Context;
  options: DevOptions;
  dir: string;
  leash: Leash;
  host: DevHost;
  output: DevOutput;
  url: string;
  firstServerPort: number;
  state: ProxyState;
  plan: DevPlan | undefined;
  instance: WireInstance | undefined;
  data: DataAccess | undefined;
  servers: Map<string, OwnServer & { command: string }>;
  reload(): void;
}

const SERVER_STOP_MS = 5_000;
const LOG_TAIL_LINES = 20;
/** An Instance's cookie lasts an hour. */
const SIGN_IN_AGAIN_MS = 20 * 60_000;
const FIRST_PORT = 4200;

/** Runs until Ctrl-C. @throws Failure when the host does not start, or ends */
export async function runDev(context: Context, options: DevOptions): Promise<void> {
  const { io } = context;
  const closers: (() => unknown)[] = [];
  const leash = openLeash();
  closers.push(() => leash.close());
  try {
    const port = options.port ?? (await freePort(FIRST_PORT));
    const visitorPort = await freePort(port + 1);
    context.note('Starting a host for this project...');
    const host = await startDevHost({ io, dir: options.dir, projectName: await projectName(options.dir), leash, args: options.hostArgs });
    closers.push(() => host.stop());
    const stage = await setStage(context, { options, leash, host, url: `http://localhost:${port}/`, firstServerPort: visitorPort + 1 });
    closers.push(() => Promise.all([...stage.servers.values()].map((server) => server.stop(SERVER_STOP_MS))), () => removeSession(options.dir));
    const reload = createLiveReload();
    stage.reload = reload.reload;
    for (const [as, at] of [['owner', port], ['visitor', visitorPort]] as const) {
      const proxy = await openProxy({ port: at, as, state: () => stage.state, reload });
      closers.push(() => proxy.close());
    }
    closers.push(() => reload.close());
    await refresh(stage, undefined);
    const watch = await watchProject(options.dir, (paths) => refresh(stage, paths));
    closers.push(() => watch.close());
    const timer = setInterval(() => void signInAgain(stage), SIGN_IN_AGAIN_MS);
    closers.push(() => clearInterval(timer));
    const visitorUrl = `http://localhost:${visitorPort}/`;
    context.result({ url: stage.url, visitor_url: visitorUrl }, `\n  Signed in  ${stage.url}\n  Visitor    ${visitorUrl}\n\n  Files are watched. Ctrl-C ends everything.\n`);
    await options.onReady(stage.url);
    const code = await Promise.race([host.ended, untilAborted(io.signal)]);
    if (!io.signal.aborted) throw new Error(`the host ended by itself (${code}); .space/dev/host.log has what it said`);
  } finally {
    for (const close of closers.toReversed()) await Promise.resolve(close()).catch(() => {});
  }
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** As hosts take it: 4 to 16 characters. */
async function projectName(dir: string): Promise<string> {
  const name = (await readMeta(dir).catch(() => undefined))?.name || basename(dir).replace(/[^A-Za-z0-9-]+/g, '-');
  return name.slice(0, 16).padEnd(4, '-dev');
}

async function setStage(context: Context, { options, leash, host, url, firstServerPort }: { options: DevOptions; leash: Leash; host: DevHost; url: string; firstServerPort: number }): Promise<Stage> {
  const [instance] = (await host.api.listInstances({ app_id: host.projectId, channel: 'development' })).instances;
  const stage: Stage = {
    context, options, leash, host, url, firstServerPort, dir: options.dir, output: createDevOutput({ colors: context.io.colors, out: context.isJson ? context.io.err : context.io.out }),
    plan: undefined, instance: undefined, data: undefined, servers: new Map(), reload: () => {},
    state: { micros: [], servers: new Map(), hostPort: host.port, label: undefined, session: '', key: randomBytes(16).toString('hex') },
  };
  if (instance !== undefined) await enter(stage, instance);
  return stage;
}

/** @param paths what changed; undefined: everything is new. Never throws: what is wrong is said, and what runs goes on */
async function refresh(stage: Stage, paths: ReadonlySet<string> | undefined): Promise<void> {
  const { context, dir } = stage;
  await orSay(stage, async () => {
    const isNew = paths === undefined || paths.has('Spacefile') || paths.has('.spaceignore') || stage.plan === undefined;
    if (isNew) {
      if (paths !== undefined) context.note('The Spacefile changed.');
      stage.plan = planDev(await loadSpacefile(dir), await chooserOf(stage));
      stage.output.align(stage.plan.micros.map(({ name }) => name));
    }
    if (stage.plan !== undefined && (isNew || [...(paths ?? [])].some(stage.plan.concernsHost))) await build(stage, stage.plan);
  });
  // One Micro that cannot be built is no reason to hold up another's server.
  await orSay(stage, async () => { if (stage.plan !== undefined) await keepServers(stage, stage.plan); });
}

async function orSay({ context }: Stage, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (context.io.signal.aborted) return;
    context.io.err(formatFailure(describeFailure(error), context.io.colors));
    context.note('Waiting for a change; what ran before goes on.');
  }
}

/** Which Micros have a server of their own. */
async function chooserOf({ options, dir }: Stage): Promise<(micro: SpacefileMicro) => boolean> {
  if (options.startsServers) return () => true;
  const { spacefile } = await loadSpacefile(dir);
  const found = await Promise.all(spacefile.micros.map(async ({ name }) => ((await runningPort(dir, name)) === undefined ? [] : [name])));
  const names = found.flat();
  return ({ name }) => names.includes(name);
}

async function build(stage: Stage, plan: DevPlan): Promise<void> {
  const { context, host, dir } = stage;
  const startedAt = performance.now();
  const lines: string[] = [];
  const spinner = context.io.spin('Building');
  // What a build says is of interest only where it fails.
  const quiet: Context = { ...context, note: (text) => void lines.push(text), done: () => {}, result: () => {}, api: async () => host.api, io: { ...context.io, spin: () => ({ update: () => {}, stop: () => {} }) } };
  try {
    const isFirst = stage.instance === undefined;
    const instance = await pushProject(quiet, host.api, { dir, projectId: host.projectId, loaded: plan.loaded, options: {}, change: plan.change });
    if (isFirst) await stage.options.prepare(host, instance);
    await enter(stage, instance);
  } catch (error) {
    spinner.stop();
    throw context.io.signal.aborted ? error : shorter(error, lines);
  } finally {
    spinner.stop();
  }
  stage.state = { ...stage.state, micros: plan.micros };
  const hosted = plan.micros.filter(({ name }) => !plan.commands.has(name)).map(({ name }) => name);
  if (hosted.length > 0) context.done(`Built ${hosted.join(', ')} in ${((performance.now() - startedAt) / 1000).toFixed(1)} s.`);
  stage.reload();
}

/** The last lines of a build's log say more than its error, which is one of them. */
function shorter(error: unknown, lines: readonly string[]): unknown {
  if (!(error instanceof Failure) || error.text.code !== 'BUILD_FAILED') return error;
  const last = lines.slice(-LOG_TAIL_LINES).map((line) => `  ${line}`);
  return new Failure({ code: 'BUILD_FAILED', what: `The build failed:\n${last.join('\n')}` }, { cause: error });
}

/** Requests go to this Instance from now on. */
async function enter(stage: Stage, instance: WireInstance): Promise<void> {
  const { host, dir, url } = stage;
  await setValues(stage, instance);
  if (stage.instance?.id === instance.id) return;
  const label = new URL(instance.url).hostname.split('.')[0] ?? '';
  stage.state = { ...stage.state, label, session: await host.signIn(label) };
  stage.data = await dataOfHost(host, await dataKey(stage, instance));
  stage.instance = instance;
  void followLogs(stage, instance.id);
  await writeSession(dir, { pid: process.pid, url, root: host.api.root, accessToken: await accessToken(host), instanceId: instance.id });
}

async function accessToken({ folder }: DevHost): Promise<string> {
  return (JSON.parse(await readFile(join(folder, 'account.json'), 'utf8')) as { accessToken: string }).accessToken;
}

/** Values of the shell win over defaults, as they do for Micros that have a server of their own. */
async function setValues({ context, host, plan }: Stage, instance: WireInstance): Promise<void> {
  for (const micro of instance.micros) {
    const known = plan?.micros.find(({ name }) => name === micro.name);
    if (known === undefined || micro.presets.env.length === 0) continue;
    const values = presetValues(known, context.io.env);
    const env = micro.presets.env.map((one) => ({ ...one, value: values[one.name] ?? one.value }));
    if (env.every(({ value }, at) => value === micro.presets.env[at]?.value)) continue;
    await host.api.changeInstance(instance.id, { micros: [{ id: micro.id, name: micro.name, presets: { env } }] });
  }
}

/** One for each project, kept: the host shows it only once. */
async function dataKey({ host }: Stage, instance: WireInstance): Promise<string> {
  const file = join(host.folder, 'data-key.json');
  const known: Record<string, string> = JSON.parse(await readFile(file, 'utf8').catch(() => '{}'));
  const kept = known[instance.id];
  if (kept !== undefined) return kept;
  const { value } = await host.api.createInstanceKey(instance.id, { name: `space dev ${randomBytes(3).toString('hex')}`, kind: 'data' });
  await writeFile(file, JSON.stringify({ [instance.id]: value }), { mode: 0o600 });
  return value;
}

async function signInAgain(stage: Stage): Promise<void> {
  const { label } = stage.state;
  if (label === undefined) return;
  const session = await stage.host.signIn(label).catch(() => undefined);
  if (session !== undefined) stage.state = { ...stage.state, session };
}

async function followLogs({ context, host, output }: Stage, instanceId: string): Promise<void> {
  const since = new Date().toISOString();
  try {
    for await (const { time, micro, text, level } of host.api.instanceLogs(instanceId, true)) {
      if (time >= since) output.micro(micro || 'host', text, level);
    }
  } catch {
    // The host is ending, and says so where it should not.
  }
  if (!context.io.signal.aborted) context.note('The log of the host has ended.');
}

/** Start what the plan asks for, end what it no longer has, and start again what has ended by itself. */
async function keepServers(stage: Stage, plan: DevPlan): Promise<void> {
  const { servers, dir, data } = stage;
  for (const [name, server] of servers) {
    if (plan.commands.get(name) === server.command) continue;
    servers.delete(name);
    await server.stop(SERVER_STOP_MS);
  }
  const ports = new Map<string, number>();
  for (const [name, command] of plan.commands) {
    const micro = plan.micros.find((one) => one.name === name);
    const port = servers.get(name)?.port ?? (await runningPort(dir, name));
    if (port !== undefined) ports.set(name, port);
    else if (micro !== undefined && data !== undefined) ports.set(name, await start(stage, micro, { command, data, taken: [...ports.values()] }));
  }
  stage.state = { ...stage.state, micros: plan.micros, servers: ports };
}

async function start(stage: Stage, micro: SpacefileMicro, { command, data, taken }: { command: string; data: DataAccess; taken: readonly number[] }): Promise<number> {
  const { servers, output, context } = stage;
  const port = await freePort(stage.firstServerPort, [...taken, ...[...servers.values()].map((one) => one.port)]);
  const server = await startOwnServer({
    dir: stage.dir, micro, command, port, data, leash: stage.leash, shellEnv: context.io.env,
    calls: { key: stage.state.key, hostname: new URL(stage.url).host }, onLine: (line) => output.micro(micro.name, line),
  });
  servers.set(micro.name, { ...server, command });
  output.micro(micro.name, `${command}  (PORT=${port})`);
  void server.ended.then((code) => {
    if (servers.get(micro.name)?.port !== port || context.io.signal.aborted) return;
    servers.delete(micro.name);
    stage.state = { ...stage.state, servers: new Map([...stage.state.servers, [micro.name, 0]]) };
    output.micro(micro.name, `ended with ${code}; the next change of a file starts it again`, 'error');
  });
  return port;
}
