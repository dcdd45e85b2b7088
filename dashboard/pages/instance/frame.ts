// Owns what is the same on every tab of an Instance: its name, version and address, and the way to the other tabs.
// Knows no tab's content.
import { stateDot, type State } from '../../form.ts';
import { appIcon, SYMBOLS } from '../../icon.ts';
import { layout, type Chrome } from '../../layout.ts';
import { html, openUrl, ownPath, path, webUrl, type Markup } from '../../markup.ts';

export interface InstanceFrame extends Chrome {
  instance: {
    id: string; name: string; url: string;
    /** A path on the dashboard's host. */
    iconUrl?: string;
    state: State; builder: boolean; version: string;
    /** Its Spacefile has some: the tab of schedules appears. */
    hasSchedules: boolean;
    /** Some Micro says what it can be asked to do: the tab of actions appears. */
    hasActions: boolean;
  };
}

export type Tab = 'overview' | 'versions' | 'actions' | 'schedules' | 'settings' | 'data' | 'logs';

const LABELS: Record<Tab, string> = { overview: 'Overview', versions: 'Versions', actions: 'Actions', schedules: 'Schedules', settings: 'Settings', data: 'Data', logs: 'Logs' };
const TABS = Object.keys(LABELS) as Tab[];

/** A whole page: `GET /apps/<id>` for the overview, `GET /apps/<id>/<tab>` for the others. */
export function instanceTab(view: InstanceFrame, tab: Tab, body: Markup): string {
  const { instance } = view;
  const title = tab === 'overview' ? instance.name : `${LABELS[tab]} of ${instance.name}`;
  return layout({ ...view, title, body: html`${hero(view)}
${tabs(view, tab)}
${body}` });
}

function hero({ instance }: InstanceFrame): Markup {
  const url = webUrl(instance.url);
  return html`<header class="hero">${appIcon(instance, ownPath(instance.iconUrl))}
<div><h1><bdi>${instance.name}</bdi></h1>
<p class="muted">${stateDot(instance.state)} version <bdi>${instance.version}</bdi>${instance.builder ? html` <span class="tag">Builder</span>` : ''}</p>
${url ? html`<p><a class="address" href="${url}">${url}</a></p>` : ''}</div>
<div class="buttons">${url && instance.state === 'ready' ? html`<a class="button primary" href="${openUrl(instance.url)}">Open ${SYMBOLS.arrow}</a>` : ''}</div></header>`;
}

function tabs({ instance }: InstanceFrame, here: Tab): Markup {
  const shown = TABS.filter((tab) => (tab !== 'schedules' || instance.hasSchedules) && (tab !== 'actions' || instance.hasActions));
  return html`<nav class="tabs" aria-label="${instance.name}"><ul>
${shown.map((tab) => html`<li><a href="${tab === 'overview' ? path`/apps/${instance.id}` : path`/apps/${instance.id}/${tab}`}"${tab === here ? html` aria-current="page"` : ''}>${LABELS[tab]}</a></li>`)}
</ul></nav>`;
}
