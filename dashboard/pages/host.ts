// Owns the page of the host's owner: how well the machine contains apps, what runs, who shares a process. Knows no probe.
import { layout, type Chrome } from '../layout.ts';
import { html, path, type Markup } from '../markup.ts';

export interface HostView extends Chrome {
  version: string;
  sandbox: { level: 'full' | 'namespaces' | 'limits' | 'none'; findings: { what: string; holds: boolean; detail: string }[] };
  cells: { running: number; ready: number; usedMb: number; limitMb: number };
  boxes: { level: 'full' | 'soft' | 'unsafe' | 'refused'; findings: { what: string; holds: boolean; detail: string }[] };
  programs: { running: number; frozen: number; usedMb: number; limitMb: number };
  spaces: { id: string; name: string; cordon: 'instance' | 'space' }[];
}

const LEVELS: Record<HostView['sandbox']['level'], { title: string; text: string }> = {
  full: { title: 'Full', text: 'Each app runs in a jail: its own namespaces, an empty root, no network, filtered system calls.' },
  namespaces: { title: 'Namespaces', text: 'Each app runs in a jail of namespaces; its system calls are not filtered.' },
  limits: { title: 'Limits only', text: 'Apps run as plain processes with limits, apart from each other. Install bubblewrap for more.' },
  none: { title: 'None', text: 'Apps run as plain processes, apart from each other; this system has no tools to limit them.' },
};

const BOX_LEVELS: Record<HostView['boxes']['level'], { title: string; text: string }> = {
  full: { title: 'Full', text: 'Programs in Node, Python and other languages run each in a box: its own namespaces and network, a read-only root, filtered system calls, and limits over all its processes together.' },
  soft: { title: 'Full, with soft limits', text: 'Programs run each in a box: its own namespaces and network, a read-only root, filtered system calls. This host may not make control groups, so their memory is limited for each process, and watched.' },
  unsafe: { title: 'None', text: 'Programs run as this host does and reach everything that it can, since it was started with --unsafe-no-sandbox.' },
  refused: { title: 'None: programs are refused', text: 'This machine can make no box, so apps in Node, Python and other languages do not run here. What is missing is below.' },
};

/** `GET /host`. Opening a Space posts `cordon` to `/host/spaces/<id>/cordon`. */
export function hostPage(view: HostView): string {
  const { sandbox, cells, boxes, programs } = view;
  const level = LEVELS[sandbox.level] ?? LEVELS.none;
  const boxLevel = BOX_LEVELS[boxes.level] ?? BOX_LEVELS.refused;
  return layout({
    ...view, title: 'This host', place: 'host',
    body: html`<h1>This host</h1>
<p class="lead">Version <bdi>${view.version}</bdi>. ${String(cells.running)} apps are awake and ${String(cells.ready)} processes stand ready, with ${String(cells.usedMb)} of ${String(cells.limitMb)} MB.</p>
<section class="card"><h2>Sandbox: ${level.title}</h2><p>${level.text} This was tried when the host started.</p>
<ul class="rows">${sandbox.findings.map(finding)}</ul></section>
<section class="card"><h2>Boxes for programs: ${boxLevel.title}</h2><p>${boxLevel.text} This was tried when the host started.</p>
<p>${String(programs.running)} programs are up, ${String(programs.frozen)} of them standing still, with ${String(programs.usedMb)} of ${String(programs.limitMb)} MB.</p>
<ul class="rows">${boxes.findings.map(finding)}</ul></section>
<section class="card"><h2>Processes</h2>
<p>Each app has a process of its own. The apps of a Space may share one, which saves memory; a hole in one of them would then reach the others of that Space.</p>
<ul class="rows">${view.spaces.map(spaceRow)}</ul></section>`,
  });
}

function finding({ what, holds, detail }: HostView['sandbox']['findings'][number]): Markup {
  return html`<li><p><strong><bdi>${what}</bdi></strong> <span class="tag">${holds ? 'holds' : 'does not hold'}</span></p><p class="muted"><bdi>${detail}</bdi></p></li>`;
}

function spaceRow({ id, name, cordon }: HostView['spaces'][number]): Markup {
  const isShared = cordon === 'space';
  return html`<li><p><strong><bdi>${name}</bdi></strong></p><p class="muted">${isShared ? 'its apps share a process' : 'a process for each app'}</p>
<form method="post" action="${path`/host/spaces/${id}/cordon`}"><input type="hidden" name="cordon" value="${isShared ? 'instance' : 'space'}">
<button class="quiet" type="submit" aria-label="${isShared ? 'Separate' : 'Share'}: ${name}">${isShared ? 'Separate' : 'Share one process'}</button></form></li>`;
}
