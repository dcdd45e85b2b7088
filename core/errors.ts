// Owns every error code of the platform: status, who is to blame, and the sentence a person reads.
// Knows nothing of HTTP framing, of the console, or of where an error is shown.

/** Who has to act: the caller (fix the request), the Micro (its developer), or the platform (its owner). */
export type Blame = 'caller' | 'micro' | 'platform';

/** Facts that make a message concrete. Never put secrets or bodies in here: they reach people and logs. */
export type ErrorDetails = Record<string, unknown>;

interface ErrorEntry {
  status: number;
  blame: Blame;
  message: (details: Record<string, any>) => string;
}

const entry = (status: number, blame: Blame, message: ErrorEntry['message'] | string): ErrorEntry => ({
  status,
  blame,
  message: typeof message === 'string' ? () => message : message,
});

/** Code -> entry. Codes are for ever, messages may change. */
export const ERRORS = {
  // requests
  BAD_REQUEST: entry(400, 'caller', (d) => d.reason ?? 'The request is not understood.'),
  BAD_JSON: entry(400, 'caller', (d) => `The body is not valid JSON${d.reason ? `: ${d.reason}` : ''}.`),
  INVALID_FIELD: entry(400, 'caller', (d) => `\`${d.field}\` ${d.reason}.`),
  PAYLOAD_TOO_LARGE: entry(413, 'caller', (d) => `The body is larger than ${d.limitBytes} bytes.`),
  UNSUPPORTED_MEDIA_TYPE: entry(415, 'caller', (d) => `Send ${d.expected}.`),
  NOT_FOUND: entry(404, 'caller', (d) => `${d.what ?? 'Nothing'} ${d.what ? 'was not found' : 'is here'}.`),
  METHOD_NOT_ALLOWED: entry(405, 'caller', (d) => `This address takes ${d.allow}.`),
  UPLOAD_ROOM_FULL: entry(429, 'caller', (d) => `Too much is on its way to this host with signatures that are not proven yet. Nothing was taken: try again in ${d.retryAfterSeconds} seconds.`),
  CONFLICT: entry(409, 'caller', (d) => d.reason ?? 'That exists already.'),
  TOO_MANY_REQUESTS: entry(429, 'caller', (d) => `Too many attempts. Try again in ${d.retryAfterSeconds} seconds.`),
  TOO_MANY_OPEN: entry(429, 'caller', (d) => `You have ${d.limit} requests open at this host, which is the most. Close what follows a log, or wait for what runs.`),
  COUNT_LIMIT: entry(409, 'caller', (d) => `There are ${d.limit} ${d.what} already, which is the most. ${d.remedy}`),
  HOST_UNKNOWN: entry(404, 'caller', (d) => `No app lives at ${d.host}. Check the address, or open your dashboard.`),
  HOST_INVALID: entry(400, 'caller', 'The Host header is missing or malformed.'),

  // identity
  UNAUTHORIZED: entry(401, 'caller', 'Unauthorized'),
  TOKEN_INVALID: entry(401, 'caller', 'The access token is not valid, or the signature was not made with it: it was mistyped, or deleted. Create a new one on the dashboard, under Settings.'),
  TOKEN_EXPIRED: entry(401, 'caller', (d) => `The access token expired on ${String(d.expiredAt).slice(0, 10)}. Create a new one on the dashboard, under Settings.`),
  SIGNATURE_TIME_WRONG: entry(401, 'caller', (d) => `${d.signedAt ? `The request was signed at ${d.signedAt}, and here it is ${d.now}` : 'X-Deta-Timestamp is no Unix time in seconds'}: a signature holds for ${d.minutes} minutes. Set the clock of your machine, or ask GET /api/v0/time before you sign.`),
  FORBIDDEN: entry(403, 'caller', (d) => d.reason ?? 'You may not do this.'),
  ORIGIN_FORBIDDEN: entry(403, 'caller', 'This request came from another site and was refused.'),
  LOGIN_FAILED: entry(401, 'caller', 'The name or the password is wrong.'),
  USERNAME_INVALID: entry(400, 'caller', 'A name has 2 to 32 characters: lower-case letters, digits and hyphens, starting with a letter.'),
  USERNAME_TAKEN: entry(409, 'caller', 'That name is taken. Choose another.'),
  PASSWORD_INVALID: entry(400, 'caller', 'A password has 8 to 256 characters.'),
  SETUP_SECRET_WRONG: entry(403, 'caller', 'The set-up secret is wrong. Use the link that the host printed when it started.'),
  SETUP_DONE: entry(409, 'caller', 'This host is set up already. Sign in instead.'),
  INVITE_INVALID: entry(403, 'caller', 'This invitation is not valid: it was used, withdrawn, or has expired. Ask for a new one.'),
  TOKEN_NAME_INVALID: entry(400, 'caller', 'A token needs a name of 1 to 64 characters.'),

  // host start
  CONFIG_INVALID: entry(500, 'platform', (d) => `The configuration is wrong:\n${((d.problems ?? []) as string[]).map((p) => `  - ${p}`).join('\n')}`),
  PORT_IN_USE: entry(500, 'platform', (d) => `Port ${d.port} is in use by another program. Choose another one: npm start -- ${d.flag ?? '--port'} ${Number(d.port) + 1}`),
  PORT_FORBIDDEN: entry(500, 'platform', (d) => `This user may not listen on port ${d.port}. Choose one above 1023: npm start -- --port 4400`),
  DATA_NOT_WRITABLE: entry(500, 'platform', (d) => `The data folder ${d.folder} cannot be written (${d.reason}). Change its owner, or choose another: npm start -- --data DIR`),
  DATA_EXPOSED: entry(500, 'platform', (d) => `The data folder ${d.folder} lies below ${d.below}, which the programs of apps can read. Move it, or choose another: npm start -- --data DIR`),
  DATA_LOCKED: entry(500, 'platform', (d) => `The data folder ${d.folder} is in use by another host${d.pid ? ` (process ${d.pid}, since ${d.since})` : ''}. Stop that one first, or choose another folder: npm start -- --data DIR`),
  DATA_NEWER: entry(500, 'platform', (d) => `The data folder ${d.folder} was written by a newer version (data format ${d.found}; this version reads up to ${d.supported}). Start that version, or restore an older copy of the folder.`),
  TLS_CA_UNREADABLE: entry(500, 'platform', (d) => `The key of the certificate authority ${d.file} cannot be read: the host key has changed, or the file is damaged. Restore both from one backup, or remove the folder ${d.folder} to get new certificates, which people then have to trust again.`),
  BLOBS_UNUSABLE: entry(500, 'platform', (d) => `The file store s3://${d.place} cannot be used: ${d.reason}. Check host, bucket, key and secret of --blobs (OWNSPACE_BLOBS), and that the key may list, read, write and delete.`),
  NODE_TOO_OLD: entry(500, 'platform', (d) => `Ownspace needs Node.js ${d.needed}; this is ${d.found}. Run npm install in the checkout, which brings the right one.`),
  ISOLATED_VM_MISSING: entry(500, 'platform', (d) => `isolated-vm has no ready-made binary for ${d.platform}. Install a C++ compiler, make and Python 3 (Debian: apt-get install build-essential python3), then run: npm rebuild isolated-vm`),

  // stores
  STORE_UNAVAILABLE: entry(503, 'platform', 'The data store does not answer. Try again.'),
  STORE_BUSY: entry(503, 'platform', 'The data store has too much to write right now. Try again in a moment.'),
  STORE_FULL: entry(507, 'platform', 'The disk is full. Reading goes on; writing works again once there is room.'),
  STORE_CONDITION_FAILED: entry(409, 'caller', 'Somebody else changed this at the same time. Load it again and retry.'),
  RECORD_CORRUPT: entry(500, 'platform', (d) => `A stored record is damaged${d.key ? ` (${d.key})` : ''}. The others are not affected; restore this one from a backup.`),
  BLOB_NOT_FOUND: entry(410, 'platform', (d) => `The content of ${d.name ?? 'this file'} is missing from the disk.`),

  BLOB_CORRUPT: entry(500, 'platform', (d) => `The content of ${d.name ?? 'this file'} is damaged. Restore it from a backup.`),

  // Base and Drive: texts are on the wire of the SDKs
  BASE_KEY_EXISTS: entry(409, 'caller', 'Key already exists'),
  BASE_KEY_NOT_FOUND: entry(404, 'caller', 'Key not found'),
  BASE_CONDITION_FAILED: entry(412, 'caller', 'The item has changed: its version is not the one that was asked for.'),
  BASE_BAD_QUERY: entry(400, 'caller', 'Bad query'),
  BASE_BAD_ITEM: entry(400, 'caller', (d) => d.reason ?? 'Bad item'),
  BASE_BAD_UPDATE: entry(400, 'caller', (d) => d.reason ?? 'Bad update'),
  ITEM_TOO_LARGE: entry(400, 'caller', (d) => `An item may have ${d.limitBytes} bytes at most`),
  TOO_MANY_ITEMS: entry(400, 'caller', (d) => `At most ${d.limit} items a request`),
  NAME_INVALID: entry(400, 'caller', (d) => d.reason ?? 'invalid name'),
  DRIVE_FILE_NOT_FOUND: entry(404, 'caller', 'File not found'),
  UPLOAD_NOT_FOUND: entry(404, 'caller', 'Upload not found'),
  RANGE_NOT_SATISFIABLE: entry(416, 'caller', (d) => `The file has ${d.sizeBytes} bytes.`),
  SNAPSHOT_NOT_FOUND: entry(404, 'caller', 'This snapshot does not exist.'),
  QUOTA_EXCEEDED: entry(507, 'micro', (d) => `${d.what} has used ${d.used} of its ${d.limit}. Delete something, or ask for more room: ${d.remedy}. Reading and deleting go on.`),
  ARCHIVE_INVALID: entry(400, 'caller', (d) => `The archive was refused: ${d.reason}. Nothing was changed.`),
  COLLECTION_NOT_FOUND: entry(404, 'caller', 'This Collection does not exist.'),

  // develop and release
  SPACEFILE_MISSING: entry(400, 'caller', 'Spacefile not found. A Spacefile at the root of the project says how to build and run it; `space new` writes one.'),
  SPACEFILE_INVALID: entry(400, 'caller', (d) => `The Spacefile is not valid:\n${d.report}`),
  SOURCE_INVALID: entry(400, 'caller', (d) => `The source archive was refused: ${d.reason}.`),
  SOURCE_TOO_LARGE: entry(413, 'caller', (d) => `The source is larger than the limit: ${d.what}. Leave out what the app does not need, one line each in \`.spaceignore\`.`),
  ICON_INVALID: entry(400, 'caller', (d) => `The icon is not a picture that can be used: ${d.reason}. Use a PNG, WebP, JPEG or GIF of 512 x 512 pixels.`),
  BUILD_FAILED: entry(422, 'micro', (d) => `Building Micro \`${d.micro}\` failed: ${d.reason}`),
  BUILD_TOOL_MISSING: entry(422, 'platform', (d) => `This host cannot build \`${d.engine}\` Micros: ${d.reason}`),
  BUNDLE_TOO_LARGE: entry(422, 'micro', (d) => `The bundle of Micro \`${d.micro}\` has ${d.sizeBytes} bytes; the limit is ${d.limitBytes}.`),
  BUILD_INTERRUPTED: entry(503, 'platform', (d) => `The build did not end: ${d.reason}.`),
  BUILD_QUEUE_FULL: entry(429, 'caller', (d) => `${d.waiting} builds ${d.whose} wait for their turn, and no more may. Nothing was taken: push again in ${d.retryAfterSeconds} seconds, or cancel one.`),
  BUILD_ROOM_FULL: entry(429, 'caller', (d) => `The sources of your builds that wait may have ${d.limit} together, and with this one it would be more. Nothing was taken: push again in ${d.retryAfterSeconds} seconds, or cancel one.`),
  HOST_BUILD_ROOM_FULL: entry(507, 'platform', (d) => `The sources of all builds that wait on this host may have ${d.limit} together, and with this one it would be more. Nothing was taken: push again in ${d.retryAfterSeconds} seconds.`),
  BUILD_STATE: entry(409, 'caller', (d) => `The build is ${d.state}; this step does not fit.`),
  TAG_TAKEN: entry(409, 'caller', (d) => `A revision with the tag \`${d.tag}\` exists already.`),
  PROJECT_NOT_FOUND: entry(404, 'caller', 'This project does not exist, or is not yours.'),
  PROJECT_NAME_INVALID: entry(400, 'caller', 'A project name has 4 to 16 characters.'),
  REVISION_NOT_FOUND: entry(404, 'caller', 'This revision does not exist, or is not yours.'),
  REVISION_DELETED: entry(410, 'caller', (d) => `The revision \`${d.tag}\` was deleted by its developer: it can be neither released nor installed. Take a newer one.`),
  VERSION_TAKEN: entry(409, 'caller', (d) => `Version \`${d.version}\` was released already, with other content. A version stands for the same bytes for ever: choose another.`),
  RELEASE_IN_USE: entry(409, 'caller', (d) => `${d.count} installed ${d.count === 1 ? 'copy runs' : 'copies run'} this release, so it stays. Unlist it: then nobody is offered it any more.`),
  RELEASE_NOT_FOUND: entry(404, 'caller', 'This release does not exist.'),
  RELEASE_NOTES_INVALID: entry(400, 'caller', (d) => `Release notes have ${d.limit} characters at most.`),
  INSTALLATION_NOT_FOUND: entry(404, 'caller', 'This installation does not exist.'),
  INSTALLATION_RUNNING: entry(409, 'caller', 'This app is being installed or updated right now. Wait until that is done.'),

  UPDATE_UNHEALTHY: entry(502, 'micro', (d) => `Version ${d.version} failed its check. ${d.reason} The app is back at version ${d.before}${d.snapshot ? `, with its data from before the update; what was written since is kept as the snapshot ${d.snapshot}` : ' and nothing was lost'}.`),
  VERSION_NOT_FOUND: entry(404, 'caller', 'There is no such version of this app to go back to.'),
  TRASH_NOT_FOUND: entry(404, 'caller', 'This is not in the trash: it was brought back, or is gone for good.'),

  // Instances and Micros
  INSTANCE_NOT_FOUND: entry(404, 'caller', 'This app instance does not exist.'),
  INSTANCE_NOT_READY: entry(503, 'platform', 'This app is being installed. Try again in a moment.'),
  INSTANCE_FAILED: entry(503, 'platform', 'An update of this app failed and could not be undone. Its owner can roll it back.'),
  ENV_RESERVED: entry(400, 'caller', (d) => `A variable cannot be called \`${d.name}\`: ${d.reason}.`),
  ENV_UNKNOWN: entry(400, 'caller', (d) => `Micro \`${d.micro}\` takes no variable \`${d.name}\`: its Spacefile names ${d.known || 'none'}. Add it under \`presets\`, and push.`),
  ENV_INVALID: entry(400, 'caller', (d) => `The value of \`${d.name}\` ${d.reason}.`),
  LABEL_INVALID: entry(400, 'caller', (d) => `\`${d.label}\` cannot be an address: ${d.reason}. Use 3 to 63 lower-case letters, digits and hyphens.`),
  LABEL_TAKEN: entry(409, 'caller', (d) => `The address \`${d.label}\` is taken. Choose another.`),
  ACTION_NOT_FOUND: entry(404, 'caller', (d) => `This app offers no action \`${d.action}\`. GET /api/v0/actions lists those that there are.`),
  ACTION_INPUT_INVALID: entry(400, 'caller', (d) => `\`${d.input}\` of the action \`${d.action}\` ${d.reason}.`),
  ACTION_FAILED: entry(502, 'micro', (d) => `The action \`${d.action}\` answered ${d.status}${d.text ? `: ${d.text}` : ''}`),
  DOMAIN_INVALID: entry(400, 'caller', (d) => `\`${d.domain}\` cannot be a domain of an app: ${d.reason}.`),
  DOMAIN_TAKEN: entry(409, 'caller', (d) => `\`${d.domain}\` leads to another app of this host, whose TXT record is still there beside yours. Take that record away, or remove the domain from that app first.`),
  DOMAIN_COOLING: entry(409, 'caller', (d) => `\`${d.domain}\` was another person's until lately. It can be used from ${d.freeAt} on.`),
  DOMAIN_UNPROVEN: entry(409, 'caller', (d) => `\`${d.domain}\` is not proven to be yours: the TXT record ${d.name} ${d.found}. It has to be ${d.value}; DNS may take a while to show a change.`),
  DOMAIN_NOT_FOUND: entry(404, 'caller', (d) => `This app has no domain \`${d.domain}\`.`),
  DNS_FAILED: entry(503, 'platform', (d) => `The DNS server gave no answer for ${d.name}: ${d.reason}. Try again in a moment.`),
  SCHEDULE_NOT_FOUND: entry(404, 'caller', (d) => `This app has no schedule \`${d.schedule}\`. \`space trigger\` and the tab Schedules list those that it has.`),
  SCHEDULE_RUNNING: entry(409, 'caller', 'This schedule is running right now, and never twice at a time. Wait until that is done.'),
  SCHEDULES_BUSY: entry(429, 'caller', (d) => `${d.limit} schedules of yours run by hand right now, which is the most. Wait until one is done.`),
  INTERVAL_INVALID: entry(400, 'caller', (d) => `\`${d.interval}\` is no interval: ${d.problem}. Write ${d.expected}.`),
  MICRO_NOT_FOUND: entry(404, 'caller', 'No Micro of this app answers here.'),
  MICRO_ENGINE_UNSUPPORTED: entry(422, 'platform', (d) => `This host cannot run the engine \`${d.engine}\`.`),
  SANDBOX_MISSING: entry(503, 'platform', (d) => `This host has no sandbox for programs, so it runs none: ${d.reason}. Its owner sees more on the page Host.`),
  MICRO_START_FAILED: entry(502, 'micro', (d) => `The app could not start: ${d.reason}`),
  MICRO_THREW: entry(500, 'micro', 'The app ran into an error.'),
  MICRO_BAD_RESPONSE: entry(502, 'micro', (d) => `The app gave no usable answer: ${d.reason}.`),
  MICRO_TIMEOUT: entry(504, 'micro', (d) => `The app took longer than ${d.limitMs} ms.`),
  MICRO_CPU_EXCEEDED: entry(503, 'micro', (d) => `The app used more than ${d.limitMs} ms of CPU time for one request.`),
  MICRO_OUT_OF_MEMORY: entry(502, 'micro', (d) => `The app used more than its ${d.limitMb} MB of memory.`),
  MICRO_CRASHED: entry(502, 'micro', 'The app stopped while it answered. It has been restarted.'),
  MICRO_BUSY: entry(503, 'micro', 'The app has too many requests at once. Try again in a moment.'),
  MICRO_CALLS_EXCEEDED: entry(429, 'micro', (d) => `One request may make ${d.limit} ${d.what}; this one made more.`),
  MICRO_PAUSED: entry(503, 'micro', (d) => `The app is paused. ${d.reason} Its owner can start it again, and so does an update.`),
  MICRO_QUARANTINED: entry(503, 'micro', (d) => `The app was stopped and rests for ${d.retryAfterSeconds} seconds. ${d.reason}`),
  MICRO_LOOP: entry(508, 'micro', (d) => `Micros called each other more than ${d.limit} times deep.`),
  EGRESS_BLOCKED: entry(403, 'micro', (d) => `Calls to ${d.target} are not allowed: ${d.reason}.`),
  EGRESS_FAILED: entry(502, 'micro', (d) => `${d.target} could not be reached: ${d.reason}.`),

  INTERNAL: entry(500, 'platform', 'Something went wrong on this host. The log has the details.'),
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERRORS;

/** The one error that crosses module borders. `details` fill the message; `cause` stays in logs. */
export class SpaceError extends Error {
  override readonly name = 'SpaceError';
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, details: ErrorDetails = {}, options?: { cause?: unknown }) {
    super(ERRORS[code].message(details), options);
    this.code = code;
    this.details = details;
  }

  /** HTTP status of this error. */
  get status(): number {
    return ERRORS[this.code].status;
  }

  get blame(): Blame {
    return ERRORS[this.code].blame;
  }
}

/** True when `error` is a SpaceError (with that code, where one is given). */
export function isSpaceError(error: unknown, code?: ErrorCode): error is SpaceError {
  return error instanceof SpaceError && (code === undefined || error.code === code);
}

/** Any thrown value as a SpaceError; what is unknown becomes INTERNAL and keeps its cause. */
export function toSpaceError(error: unknown): SpaceError {
  return error instanceof SpaceError ? error : new SpaceError('INTERNAL', {}, { cause: error });
}

/** A SpaceError as plain data, to cross a thread or process border. */
export interface ErrorRecord {
  code: ErrorCode;
  details: ErrorDetails;
}

export function errorRecord(error: unknown): ErrorRecord {
  const known = toSpaceError(error);
  return { code: known.code, details: known.details };
}

export function errorFromRecord(record: ErrorRecord): SpaceError {
  return new SpaceError(record.code, record.details);
}

/** What was asked for, or undefined where the answer is that there is none. Any other failure stays one. */
export async function orMissing<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found;
  } catch (error) {
    if (isSpaceError(error) && error.status === 404) return undefined;
    throw error;
  }
}
