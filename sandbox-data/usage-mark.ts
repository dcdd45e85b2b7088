// Owns the note of how much a closed Store holds, so that nobody has to open it to know. LevelDB begins a manifest at each
// opening, so a note that names another manifest than the Store has is out of date.
import { readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

interface UsageMark { current: string; bytes: number }

/** @param folder of the Collection */
export const usageMarkPath = (folder: string): string => join(folder, 'usage.json');

/** After the Store was closed. @param storeFolder where it is */
export async function writeUsageMark(storeFolder: string, bytes: number): Promise<void> {
  const path = usageMarkPath(dirname(storeFolder));
  const mark: UsageMark = { current: await currentOf(storeFolder), bytes };
  await writeFile(`${path}.part`, JSON.stringify(mark));
  await rename(`${path}.part`, path);
}

/** `undefined` when only the Store itself knows. @param folder of the Collection */
export async function readUsageMark(folder: string): Promise<number | undefined> {
  try {
    const mark = JSON.parse(await readFile(usageMarkPath(folder), 'utf8')) as UsageMark;
    return mark.current === (await currentOf(join(folder, 'store'))) ? mark.bytes : undefined;
  } catch {
    return undefined;
  }
}

function currentOf(storeFolder: string): Promise<string> {
  return readFile(join(storeFolder, 'CURRENT'), 'utf8');
}
