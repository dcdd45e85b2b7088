// Owns that nothing which `space dev` started outlives it, even where it is killed itself. Process groups are written to a
// shell beside us; when our end of its pipe closes, whatever is still on its list is ended.
import { spawn } from 'node:child_process';

export interface Leash {
  /** @param group id of the process that leads it */
  hold(group: number): void;
  letGo(group: number): void;
  /** @throws never: it is the last to go */
  close(): void;
}

/** Each line is the whole list. Signals of the terminal are for others. */
const SCRIPT = `
trap '' INT TERM HUP
groups=
while read -r line; do groups=$line; done
[ -n "$groups" ] || exit 0
for group in $groups; do kill -TERM "-$group" 2>/dev/null; done
for second in 1 2 3 4 5 6; do
  alive=
  for group in $groups; do kill -0 "-$group" 2>/dev/null && alive=1; done
  [ -n "$alive" ] || exit 0
  sleep 1
done
for group in $groups; do kill -KILL "-$group" 2>/dev/null; done
`;

export function openLeash(): Leash {
  const shell = spawn('sh', ['-c', SCRIPT], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  shell.unref();
  shell.on('error', () => {});
  shell.stdin.on('error', () => {});
  const groups = new Set<number>();
  const tell = (): void => void shell.stdin.write(`${[...groups].join(' ')}\n`);
  return {
    hold(group) { groups.add(group); tell(); },
    letGo(group) { groups.delete(group); tell(); },
    close: () => shell.stdin.end(),
  };
}
