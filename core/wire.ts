// Owns the JSON shapes of the control plane as they travel: types only, shared by runtime/api and client.
// Wire names are Deta Space's (`app` is a Project, `promotion` a Release); they are translated here and nowhere else.

/** Body of every control-plane error. `detail` equals `errors[0]`: old clients read one or the other. */
export interface WireError { errors: string[]; detail: string; code: string; request_id: string }

export interface WireHealth { status: 'ok'; version: string }
export interface WireSpace { id: string; name: string; role: 'owner' | 'member' }
export interface WireSignedUp { access_token: string; space: { id: string; name: string } }
export interface WireInvite { invite: string; url: string; expires_at: string }
export interface WireToken { id: string; name: string; created_at: string; expires_at: string; last_used_at: string | null }
export interface WireNewToken { id: string; access_token: string }

/** A Project. */
export interface WireApp { id: string; name: string; alias: string; created_at: string }
/** `last_used_at`: to the minute; of those that are told of their use. */
export interface WireKey { name: string; created_at: string; last_used_at?: string | null }
export interface WireNewKey extends WireKey { value: string }

export type WireJobStatus = 'pending' | 'running' | 'complete' | 'failed';
export interface WirePage { size: number; last: string | null }

export interface WireBuild { id: string; app_id: string; status: WireJobStatus; tag: string; error: string | null; created_at: string }
export interface WireRevision { id: string; app_id: string; tag: string; created_at: string }

export interface WireDiscovery {
  app_name: string; title: string; tagline: string; theme_color: string; git: string; homepage: string;
  media: string[]; ported_from: string; open_code: boolean; works_with: string[]; content_raw: string;
}
/** A Release as a job: what `POST /promotions` makes. Its id is the Release's id. */
export interface WirePromotion { id: string; app_id: string; revision_id: string; status: WireJobStatus; channel: WireChannel; version: string }
export type WireChannel = 'development' | 'experimental';
export interface WireRelease {
  id: string; app_id: string; app_name: string; tag: string; revision_id: string; version: string; release_notes: string;
  channel: WireChannel; listed: boolean; latest: boolean; released_at: string; url: string; author: string;
  /** The same once more, by the names that clients of Deta Space read. */
  name: string; release_alias: string; short_description: string; icon_url: string | null; status: 'complete';
  /** `stats`: people that have any Release of the app, and just this one. */
  discovery: WireDiscovery & { stats: WireInstalls; listed: boolean; canonical_url: string; listed_url: string | null };
}
export interface WireInstalls { total_installs: number; release_installs: number }
/** The newest listed Release of one app. */
export interface WireListedApp { release: WireRelease; discovery: WireRelease['discovery'] & { content: string } }

export interface WireInstallation {
  id: string; instance_id: string; release_id: string; kind: 'install' | 'update' | 'rollback' | 'uninstall';
  status: WireJobStatus; step: string; error: string | null; created_at: string;
}
/** What an update would bring; `to` is null when there is none. `text` of a change is for people; `before` is null for what
 *  is added, `after` for what is removed. */
export interface WireUpdate {
  instance_id: string;
  from: { release_id: string; version: string };
  to: { release_id: string; version: string } | null;
  /** Of all versions that it brings, newest first. */
  notes: { version: string; release_notes: string; released_at: string }[];
  changes: WireVersionChange[];
}
export interface WireVersionChange {
  kind: 'public_route' | 'permission' | 'micro' | 'engine' | 'path' | 'schedule' | 'app_actions' | 'env' | 'api_keys';
  change: 'added' | 'removed' | 'changed';
  micro: string; what: string; before: string | null; after: string | null; text: string;
}
/** A version to go back to. `snapshot_id` is null where the data of then are not kept. */
export interface WireVersion { id: string; version: string; release_id: string; left_at: string; snapshot_id: string | null }
/** What a rollback would do. `changed_since`: what the data of then do not have; `more`: it may be more than that. */
export interface WireRollback {
  to: WireVersion;
  data: 'keep' | 'restore';
  changed_since: { items: number; files: number; more: boolean } | null;
  statement: string;
}
/** An app with its data, or a Collection, that was deleted. `id` is the Collection's. */
export interface WireTrashed {
  id: string; kind: 'app' | 'collection'; name: string; instance_id: string | null; alias: string | null; version: string | null;
  trashed_at: string; deleted_at: string;
}
export interface WireMicro {
  id: string; name: string; engine: string; path: string; primary: boolean;
  presets: { env: WireEnv[]; api_keys: boolean };
}
export interface WireEnv { name: string; description: string; default?: string; value: string }
/** `channel` tells a Builder Instance (`development`) from an installed one (`experimental`). */
export interface WireInstance {
  id: string; app_id: string; app_name: string; release_id: string; channel: WireChannel; alias: string; url: string;
  version: string; status: 'ready' | 'installing' | 'failed' | 'updating' | 'removing'; collection_id: string; created_at: string;
  update: { release_id: string; version: string; release_notes: string } | null;
  release: { id: string; app_name: string; version: string; channel: WireChannel; short_description: string; icon_url: string | null };
  micros: WireMicro[];
}
/** Something that a Micro offers to be asked for by name. `output` names the shape of what comes back. */
export interface WireAction {
  instance_id: string; instance_alias: string; app_name: string; name: string; title: string; channel: WireChannel; version: string;
  input: { name: string; type: 'string' | 'number' | 'boolean'; optional: boolean }[]; output: string;
}
/** A domain of one's own. `txt` is the record that proves it; `active`: it leads to the app. `shown` is how people read it. */
/** `problem`: its record was not found again, and what follows from that. */
export interface WireDomain { domain: string; shown: string; status: 'pending' | 'active'; txt: { name: string; value: string }; created_at: string; verified_at: string | null; problem: string | null }
/** `interval` is what holds: the owner's own, else `default_interval`. Times are UTC; null while it is disabled. */
export interface WireSchedule {
  id: string; micro: string; name: string; description: string; interval: string; default_interval: string; enabled: boolean;
  next_run_at: string | null; then_run_at: string | null; last_run: WireScheduleRun | null;
}
/** `scheduled_at` is when it was due. `catch-up` stands for all that were missed, `skipped` for one that was due while the
 *  one before still ran, `interrupted` for one during which the host stopped. */
export interface WireScheduleRun {
  schedule_id: string; trigger: 'due' | 'catch-up' | 'manual'; outcome: 'running' | 'ok' | 'failed' | 'skipped' | 'interrupted';
  scheduled_at: string; started_at: string; duration_ms: number | null; status: number | null; request_id: string | null; error: string | null;
}
/** The numbers that hold for an Instance, and those that were set for it. */
export interface WireLimits { limits: Record<string, number>; set: Record<string, number> }
/** Where an Instance may call, and how much it did since the host started. */
export interface WireEgress {
  policy: 'internet' | 'none' | 'list';
  hosts: string[];
  calls: { open: number; in_minute: number; total: number; refused: number };
}
export interface WireHost {
  version: string;
  sandbox: { level: 'full' | 'namespaces' | 'limits' | 'none'; findings: { what: string; holds: boolean; detail: string }[] };
  cells: { running: number; ready: number; used_mb: number; limit_mb: number };
  /** The same for process Micros. */
  boxes: { level: 'full' | 'soft' | 'unsafe' | 'refused'; findings: { what: string; holds: boolean; detail: string }[] };
  programs: { running: number; frozen: number; used_mb: number; limit_mb: number };
}
/** How much is in a Collection: Items and bytes of their JSON, Files and their bytes, automatic indexes. */
export interface WireUsage {
  bases: { name: string; items: number; bytes: number; indexes: { field: string; state: 'building' | 'ready'; used_at: string }[] }[];
  drives: { name: string; files: number; bytes: number }[];
}

export interface WireCollection { id: string; name: string; instance_id: string | null; created_at: string }
/** One damage to what a Collection stores. `things`: Items (`area: 'base'`) and Files that it hit, as far as their names can
 *  be read. `range`: more may be hit in between; `null` in it is the beginning or the end. */
export interface WireDamage {
  at: string;
  kind: string;
  note: string;
  things: { area: 'base' | 'drive'; name: string; key: string; state: 'damaged' | 'missing' | 'readable' }[];
  other_records: number;
  range: Record<'after' | 'up_to', { area: 'base' | 'drive'; name: string; key: string } | null> | null;
}
/** `indexes.rebuilt`: were wrong, and are built anew. `indexes.orphans`: entries that belonged to none, deleted. */
export interface WireVerified {
  damage: WireDamage[];
  indexes: { checked: number; rebuilt: { base: string; field: string }[]; orphans: number };
}
/** One line of `GET /instances/{id}/logs`. */
export interface WireLogLine { time: string; micro: string; level: 'debug' | 'info' | 'warn' | 'error'; text: string; request_id: string | null }
/** `automatic`: taken by the host before an update or a rollback. `replaced`: put aside by a restore. */
export interface WireSnapshot { id: string; kind: 'manual' | 'automatic' | 'replaced'; note: string; created_at: string }
export interface WireImportCounts { name: string; added: number; changed: number; unchanged: number }
/** `verified`: the archive had a manifest, and its checksums hold. */
export interface WireImportReport { dry_run: boolean; bases: WireImportCounts[]; drives: WireImportCounts[]; ignored: string[]; verified: boolean }
/** One line of the answer to an import; the last one is a report or an error. */
export type WireImportLine =
  | { progress: { step: 'check' | 'import'; bytes: number; total_bytes: number } }
  | { report: WireImportReport } | { error: WireError };
/** Bytes of Items and Files. */
export interface WireQuota { used_bytes: number; limit_bytes: number; collections: { id: string; used_bytes: number; limit_bytes: number | null }[] }
