// Owns the tab of an Instance's data: what its Collection holds, taking it away, bringing more in.
import { archiveCard, contentsCards, type ArchiveView, type ContentsView } from '../../archive.ts';
import { html, path } from '../../markup.ts';
import { instanceTab, type InstanceFrame } from './frame.ts';

export interface DataView extends InstanceFrame, ContentsView, ArchiveView {
  collectionId: string;
}

/** `GET /apps/<id>/data`. `POST /apps/<id>/data/import` takes `dry_run=true?` and `file`. */
export function dataPage(view: DataView): string {
  const { id } = view.instance;
  return instanceTab(view, 'data', html`${contentsCards(view)}
${archiveCard(view, { exportPath: path`/api/v0/instances/${id}/export`, importPath: path`/apps/${id}/data/import` })}
<p class="hint">The Collection is <code>${view.collectionId}</code>.</p>`);
}
