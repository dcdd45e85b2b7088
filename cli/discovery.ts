// Owns Discovery.md: what a Release tells about itself, as front matter and Markdown.
// @source Deta Space docs, Discovery.md
import { readFile, stat, writeFile } from 'node:fs/promises';
import { extname, join, relative, resolve } from 'node:path';
import mime from 'mime';
import { parse, stringify } from 'yaml';
import type { NewDiscovery } from '../client/api.ts';
import { Failure } from './failure.ts';

const FILE_NAME = 'Discovery.md';
const MEDIA_MAX = 5;
const SCREENSHOT_MAX_BYTES = 3_000_000;
/** Field -> most characters. */
const LIMITS = { app_name: 12, title: 45, tagline: 69, content_raw: 4250 } as const;
const TEXT_FIELDS = ['app_name', 'title', 'tagline', 'theme_color', 'git', 'homepage', 'ported_from'] as const;

export const EMPTY_DISCOVERY: NewDiscovery = {
  app_name: '', title: '', tagline: '', theme_color: '', git: '', homepage: '', media: null, ported_from: '', open_code: false, works_with: null, content_raw: '',
};

export interface LoadedDiscovery {
  discovery: NewDiscovery;
  /** What a page will not show well: the original command let it pass. */
  warnings: string[];
}

export interface Screenshot { content: Blob | string; contentType: string }

/** Undefined when the project has none. @throws Failure DISCOVERY_INVALID */
export async function readDiscovery(dir: string): Promise<LoadedDiscovery | undefined> {
  const text = await readFile(join(dir, FILE_NAME), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  return text === undefined ? undefined : parseDiscovery(text);
}

/** @throws Failure DISCOVERY_INVALID, naming everything that is wrong */
export function parseDiscovery(text: string): LoadedDiscovery {
  const [, matter, rest = ''] = /^\uFEFF?---[ \t]*\r?\n([^]*?)(?<=\n)---[ \t]*(?:\r?\n([^]*))?$/.exec(text) ?? [];
  const problems: string[] = [];
  const discovery = discoveryOf(matter === undefined ? {} : parseMatter(matter), problems);
  discovery.content_raw = (matter === undefined ? text : rest).trim();
  if ((discovery.media?.length ?? 0) > MEDIA_MAX) problems.push(`\`media\` has ${discovery.media?.length} entries, the limit is ${MEDIA_MAX}`);
  if (problems.length > 0) throw invalid(problems);
  return { discovery, warnings: lengthWarnings(discovery) };
}

function lengthWarnings(discovery: NewDiscovery): string[] {
  return Object.entries(LIMITS).flatMap(([field, limit]) => {
    const length = [...discovery[field as keyof typeof LIMITS]].length;
    const name = field === 'content_raw' ? 'the text' : `\`${field}\``;
    return length > limit ? [`${FILE_NAME}: ${name} has ${length} characters; up to ${limit} are shown well.`] : [];
  });
}

function parseMatter(matter: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = parse(matter, { maxAliasCount: 0 });
  } catch (error) {
    throw invalid([`the front matter is not valid YAML (${(error as Error).message.split('\n')[0]?.replace(/:$/, '')})`]);
  }
  if (value === null || value === undefined) return {};
  if (typeof value !== 'object' || Array.isArray(value)) throw invalid(['the front matter is not a set of fields']);
  return value as Record<string, unknown>;
}

function discoveryOf(fields: Record<string, unknown>, problems: string[]): NewDiscovery {
  const text = (name: string): string => {
    const value = fields[name] ?? '';
    if (typeof value !== 'string') problems.push(`\`${name}\` is not a text; put it in quotes`);
    return String(value).trim();
  };
  const list = (name: string): string[] | null => {
    const value = fields[name] ?? null;
    if (value === null || (Array.isArray(value) && value.every((one) => typeof one === 'string'))) return value;
    problems.push(`\`${name}\` is not a list of texts`);
    return null;
  };
  const flag = (name: string): boolean => {
    const value = fields[name] ?? false;
    if (typeof value !== 'boolean') problems.push(`\`${name}\` is neither true nor false`);
    return value === true;
  };
  return {
    ...EMPTY_DISCOVERY,
    ...Object.fromEntries(TEXT_FIELDS.map((name) => [name, text(name)])),
    media: list('media'),
    works_with: list('works_with'),
    open_code: flag('open_code'),
  };
}

/** A new Discovery.md from what the developer was asked. */
export async function writeDiscovery(dir: string, fields: { app_name: string; tagline: string }): Promise<void> {
  await writeFile(join(dir, FILE_NAME), `---\n${stringify(fields)}---\n`, { flag: 'wx' });
}

/** The pictures of `media` in order: links as text, files of the project as bytes. @throws Failure DISCOVERY_INVALID */
export async function readScreenshots(dir: string, media: readonly string[]): Promise<Screenshot[]> {
  return Promise.all(media.map(async (entry) => (/^https?:\/\//.test(entry) ? { content: entry, contentType: 'text/plain' } : readPicture(dir, entry))));
}

async function readPicture(dir: string, entry: string): Promise<Screenshot> {
  const path = resolve(dir, entry);
  if (relative(dir, path).startsWith('..')) throw invalid([`the picture ${entry} is outside of the project`]);
  const stats = await stat(path).catch(() => undefined);
  if (!stats?.isFile()) throw invalid([`the picture ${entry} does not exist`]);
  if (stats.size > SCREENSHOT_MAX_BYTES) throw invalid([`the picture ${entry} has more than ${SCREENSHOT_MAX_BYTES / 1e6} MB`]);
  const contentType = mime.getType(extname(path)) ?? '';
  if (!['image/png', 'image/jpeg', 'image/webp'].includes(contentType)) throw invalid([`${entry} is no PNG, JPEG or WebP picture`]);
  return { content: new Blob([await readFile(path)]), contentType };
}

function invalid(problems: readonly string[]): Failure {
  const what = `${FILE_NAME} is not valid:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`;
  return new Failure({ code: 'DISCOVERY_INVALID', what, remedy: `Correct ${FILE_NAME}, then run the command again.` });
}
