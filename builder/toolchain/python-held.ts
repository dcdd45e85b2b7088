// Owns which packages stay what the programs of Deta Space's time knew, where their requirements.txt leaves it open: such files
// name packages without a version, and the newest no longer run those programs.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

interface Held {
  name: string;
  /** The release that broke them. */
  below: string;
  /** Packages that bring it along, and up to which release of theirs that was the older one. */
  broughtBy: Readonly<Record<string, readonly [major: number, minor: number]>>;
}

/** Starlette 1 has no `TemplateResponse(name, {"request": request})` and no `on_event` any more. */
const HELD: readonly Held[] = [{ name: 'starlette', below: '1', broughtBy: { fastapi: [0, 116] } }];

const REQUIREMENT = /^([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*([^;#]*)/;
const AT_LEAST = /^>=\s*(\d+)(?:\.(\d+))?[\w.]*$/;

/** @returns lines of a file of constraints */
export function heldBy(requirements: string): string[] {
  const wanted = new Map(requirements.split('\n').flatMap((line) => {
    const [, name, version = ''] = REQUIREMENT.exec(line.trim()) ?? [];
    return name === undefined ? [] : [[name.toLowerCase(), version.trim()] as const];
  }));
  return HELD.filter(({ name, broughtBy }) => {
    const own = wanted.get(name);
    if (own !== undefined) return own === '';
    return Object.entries(broughtBy).some(([bringer, release]) => isOpen(wanted.get(bringer), release));
  }).map(({ name, below }) => `${name}<${below}`);
}

/** Named without a version, or with nothing but a least one of that time? */
function isOpen(version: string | undefined, [major, minor]: readonly [number, number]): boolean {
  if (version === undefined) return false;
  if (version === '') return true;
  const least = AT_LEAST.exec(version);
  return least !== null && (Number(least[1]) < major || (Number(least[1]) === major && Number(least[2] ?? 0) < minor));
}

/** Write them as a file into `folder`.
 *  @returns its name, and what it says */
export async function writeHeld(folder: string, requirements: string): Promise<{ file: string; lines: string[] }> {
  const file = 'held.txt';
  const lines = heldBy(requirements);
  await writeFile(join(folder, file), lines.map((line) => `${line}\n`).join(''));
  return { file, lines };
}
