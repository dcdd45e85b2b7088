// Owns the list of what the handlers of the control plane and the pages may call. Put together by server.ts.
import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import type { Builder } from '../../builder/builder.ts';
import type { Data } from '../../sandbox-data/data.ts';
import type { AccessTokens } from '../auth/access-token.ts';
import type { DataKeys } from '../auth/data-key.ts';
import type { InstanceSessions } from '../auth/instance-session.ts';
import type { Keyring } from '../auth/keyring.ts';
import type { Sessions } from '../auth/session.ts';
import type { Spaces } from '../auth/space.ts';
import type { Addresses } from '../http/address.ts';
import type { Collections } from '../instance/collection.ts';
import type { Installations } from '../instance/installation.ts';
import type { Instances } from '../instance/instance.ts';
import type { Lifecycle } from '../instance/lifecycle.ts';
import type { QuotaLimits } from '../instance/quota.ts';
import type { InstanceLogs } from '../instance/logs.ts';
import type { Trash } from '../instance/trash.ts';
import type { Domains } from '../instance/domains.ts';
import type { Settings } from '../instance/settings.ts';
import type { Versions } from '../instance/versions.ts';
import type { AppActions } from '../action/app-actions.ts';
import type { Scheduler } from '../action/scheduler.ts';
import type { CallCounts } from '../../sandbox/call-meter.ts';
import type { SandboxReport } from '../../sandbox/self-test.ts';
import type { BoxReport } from '../../sandbox/box-test.ts';
import type { CellsReport } from '../engine/isolate.ts';
import type { ProgramsReport } from '../engine/process.ts';
import type { IsolateLimits } from '../engine/cell/limits.ts';

/** What runs on this machine, and how well it is contained. */
export interface Machine {
  sandbox(): Promise<SandboxReport>;
  cells(): Promise<CellsReport>;
  /** How well this machine contains programs. */
  boxes(): Promise<BoxReport>;
  programs(): Promise<ProgramsReport>;
  /** Calls to the outside. */
  calls(instanceId: string): CallCounts;
  /** The host's own numbers. */
  limits: Readonly<IsolateLimits>;
  /** What was set for an Instance is different: it counts from the next request on. */
  settingsChanged(instanceId: string): void;
  /** Paused Micros may run again. */
  resume(instanceId: string): Promise<void>;
  /** Who shares a process is different: what runs drains. */
  cordonChanged(spaceId: string): Promise<void>;
}

export interface ApiParts {
  spaces: Spaces;
  sessions: Sessions;
  accessTokens: AccessTokens;
  instanceSessions: InstanceSessions;
  dataKeys: DataKeys;
  apiKeys: Keyring;
  builder: Builder;
  instances: Instances;
  installations: Installations;
  trash: Trash;
  collections: Collections;
  lifecycle: Lifecycle;
  versions: Versions;
  quotas: QuotaLimits;
  settings: Settings;
  domains: Domains;
  schedules: Scheduler;
  appActions: AppActions;
  machine: Machine;
  data: Data;
  logs: InstanceLogs;
  addresses: Addresses;
  /** Shown on every page, when there is something that its reader must know. */
  warning: string | undefined;
  version: string;
  clock: Clock;
  log: Log;
}
