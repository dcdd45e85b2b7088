// Owns the part of a page by which the data of a Collection come and go: what is in it, the zip out, a zip in, and what that did.
import { problem, sizeText } from './form.ts';
import { SYMBOLS } from './icon.ts';
import { html, type Markup } from './markup.ts';

export interface ContentsView {
  bases: { name: string; items: number; bytes: number }[];
  drives: { name: string; files: number; bytes: number }[];
}

interface Counts { name: string; added: number; changed: number; unchanged: number }

export interface ArchiveView {
  /** What an import of just now did, or would do. */
  imported?: { isRehearsal: boolean; bases: Counts[]; drives: Counts[]; ignored: string[] };
  importError?: string;
}

export function contentsCards({ bases, drives }: ContentsView): Markup {
  return html`<div class="columns">
<section class="card"><h2>Bases</h2>${list(bases.map(({ name, items, bytes }) => ({ name, text: `${items} ${items === 1 ? 'item' : 'items'}, ${sizeText(bytes)}` })))}</section>
<section class="card"><h2>Drives</h2>${list(drives.map(({ name, files, bytes }) => ({ name, text: `${files} ${files === 1 ? 'file' : 'files'}, ${sizeText(bytes)}` })))}</section>
</div>`;
}

function list(rows: { name: string; text: string }[]): Markup {
  if (rows.length === 0) return html`<p class="muted">None yet.</p>`;
  return html`<ul class="rows">${rows.map(({ name, text }) => html`<li><p><strong><bdi>${name}</bdi></strong></p><p class="muted">${text}</p></li>`)}</ul>`;
}

/** @param exportPath where the zip comes from  @param importPath takes the form: `dry_run=true?`, then `file` */
export function archiveCard(view: ArchiveView, { exportPath, importPath }: { exportPath: string; importPath: string }): Markup {
  return html`<section class="card" aria-labelledby="archive"><h2 id="archive">Out and in</h2>
<div class="card-head"><p>All of it in one zip, which any Ownspace takes in.</p><a class="button" href="${exportPath}">Export</a></div>
${view.imported ? report(view.imported) : ''}
<form class="stack" method="post" action="${importPath}" enctype="multipart/form-data">
${problem(view.importError)}
<div class="field"><label class="choice"><input type="checkbox" name="dry_run" value="true"> <span>Only say what would change</span></label></div>
<div class="field"><label for="file">A zip to bring in</label>
<input id="file" name="file" type="file" accept=".zip,application/zip" required aria-describedby="file-hint">
<p class="hint" id="file-hint">From here, from another Ownspace, or from Deta Space. Items and Files of the same name are replaced; nothing is deleted.</p></div>
<button type="submit">Import</button></form></section>`;
}

function report({ isRehearsal, bases, drives, ignored }: NonNullable<ArchiveView['imported']>): Markup {
  const rows = [...bases.map((each) => ({ kind: 'Base', ...each })), ...drives.map((each) => ({ kind: 'Drive', ...each }))];
  return html`<div class="notice good" role="status">${SYMBOLS.check}<div><p><strong>${isRehearsal ? 'Nothing was changed. It would change like this:' : 'It is in.'}</strong></p>
${rows.length === 0 ? html`<p>The zip has no Base and no Drive.</p>` : html`<ul>${rows.map((each) => html`<li>${each.kind} <bdi>${each.name}</bdi>: ${String(each.added)} added, ${String(each.changed)} changed, ${String(each.unchanged)} as they were</li>`)}</ul>`}
${ignored.length === 0 ? '' : html`<p>Left out, since it belongs to no Base and no Drive: <bdi>${ignored.slice(0, 5).join(', ')}</bdi>${ignored.length > 5 ? ' and more' : ''}</p>`}</div></div>`;
}
