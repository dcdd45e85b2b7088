// Covers the filter of system calls: as the kernel's little machine would run it, and its numbers as the kernel's headers have them.
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { cellFilter, hasSeccomp } from '../../sandbox/seccomp.ts';
import { AUDIT_ARCH, NEWEST_SYSCALL, type Processor, SYSCALLS } from '../../sandbox/syscalls.ts';

const ALLOW = 0x7fff0000;
const KILL = 0x80000000;
const EPERM = 0x50001;
const ENOSYS = 0x50026;

interface Call { nr: number; arch: number; args?: number[] }

/** What the filter says of one call; throws where the kernel would refuse the filter. */
function run(filter: Buffer, { nr, arch, args = [] }: Call): number {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(nr, 0);
  data.writeUInt32LE(arch, 4);
  args.forEach((value, index) => data.writeBigUInt64LE(BigInt(value), 16 + index * 8));
  let register = 0;
  for (let at = 0; at < filter.length / 8;) {
    const [code, yes, no, value] = [filter.readUInt16LE(at * 8), filter[at * 8 + 2]!, filter[at * 8 + 3]!, filter.readUInt32LE(at * 8 + 4)];
    at += 1;
    if (code === 0x20) register = data.readUInt32LE(value);
    else if (code === 0x06) return value;
    else if (code === 0x15) at += register === value ? yes : no;
    else if (code === 0x35) at += register >= value ? yes : no;
    else if (code === 0x45) at += (register & value) !== 0 ? yes : no;
    else throw new TypeError(`no such instruction ${code}`);
  }
  throw new TypeError('the filter has no end');
}

const PROCESSORS: Processor[] = ['x64', 'arm64'];

describe.each(PROCESSORS)('the filter of a Cell on %s', (processor) => {
  const filter = cellFilter(processor);
  const arch = AUDIT_ARCH[processor];
  const number = (name: string): number => SYSCALLS[processor][name]!;
  const on = (name: string, ...args: number[]): number => run(filter, { nr: number(name), arch, args });

  it('is as short as the kernel takes it', () => expect(filter.length / 8).toBeLessThan(4096));

  it('lets pass what every program does', () => {
    const write = processor === 'x64' ? 1 : 64;
    const mmap = processor === 'x64' ? 9 : 222;
    for (const nr of [write, mmap, 302, 318].slice(0, processor === 'x64' ? 4 : 2)) expect(run(filter, { nr, arch })).toBe(ALLOW);
  });

  it('refuses every call in the table, but for those that it looks into', () => {
    const open = Object.keys(SYSCALLS[processor]).filter((name) => on(name) === ALLOW);
    expect(open).toEqual(['ioctl']);
  });

  it('lets threads start, and no process', () => {
    expect(on('clone', 0x3d0f00)).toBe(ALLOW);
    expect(on('clone', 17)).toBe(EPERM);
    expect(on('clone', 0x10000000 | 17)).toBe(EPERM);
    expect(on('clone3', 0)).toBe(ENOSYS);
  });

  it('keeps a terminal as it is', () => {
    expect(on('ioctl', 0, 0x5401)).toBe(ALLOW);
    expect(on('ioctl', 0, 0x5412)).toBe(EPERM);
    expect(on('ioctl', 0, 0x541c)).toBe(EPERM);
  });

  it('knows no call that is newer than itself', () => {
    expect(run(filter, { nr: NEWEST_SYSCALL, arch })).toBe(ALLOW);
    expect(run(filter, { nr: NEWEST_SYSCALL + 1, arch })).toBe(ENOSYS);
  });

  it('ends a process that speaks another ABI', () => {
    for (const other of [...PROCESSORS.map((one) => AUDIT_ARCH[one]).filter((one) => one !== arch), 0x40000003, 0x40000028]) expect(run(filter, { nr: 1, arch: other })).toBe(KILL);
    if (processor === 'x64') expect(run(filter, { nr: 0x40000000 + 41, arch })).toBe(KILL);
  });
});

it('knows for which processors it has numbers', () => {
  expect(['x64', 'arm64', 'riscv64', 'ia32'].map(hasSeccomp)).toEqual([true, true, false, false]);
});

const HEADERS: Record<Processor, string> = { x64: '/usr/include/x86_64-linux-gnu/asm/unistd_64.h', arm64: '/usr/include/asm-generic/unistd.h' };

it.each(PROCESSORS.filter((processor) => existsSync(HEADERS[processor])))('has the numbers of the kernel headers for %s', (processor) => {
  const header = readFileSync(HEADERS[processor], 'utf8');
  const known = new Map([...header.matchAll(/^#define __NR(?:3264)?_(\w+)\s+(\d+)/gm)].map(([, name, nr]) => [name, Number(nr)]));
  expect(known.size).toBeGreaterThan(250);
  const wrong = Object.entries(SYSCALLS[processor]).filter(([name, nr]) => known.has(name) && known.get(name) !== nr);
  const unknown = Object.keys(SYSCALLS[processor]).filter((name) => !known.has(name));
  expect(wrong).toEqual([]);
  // Younger than the headers of an old distribution.
  expect(unknown.filter((name) => !['set_mempolicy_home_node', 'process_mrelease', 'memfd_secret'].includes(name))).toEqual([]);
});
