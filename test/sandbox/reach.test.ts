// Covers where a caller may call at all, and how many calls there may be.
import { describe, expect, it } from 'vitest';
import { silentLog } from '../../core/log.ts';
import { createCallMeter } from '../../sandbox/call-meter.ts';
import { checkReach, checkReached } from '../../sandbox/reach.ts';
import { createFakeClock } from '../support/fake-clock.ts';

const list = (...hosts: string[]) => checkReach({ policy: 'list', hosts });
const refused = { code: 'EGRESS_BLOCKED' };

describe('a list of hosts', () => {
  const reach = list('api.example.org', '*.Example.NET', 'bücher.example', '192.0.2.7', '[2001:DB8::1]');

  it.each(['https://api.example.org/x', 'http://API.example.org.:8080/', 'https://a.example.net/', 'https://a.b.example.net/', 'https://xn--bcher-kva.example/', 'https://BÜCHER.example/', 'http://192.0.2.7/', 'http://0xC0000207/', 'http://[2001:db8::1]/'])('lets %s pass', (url) => {
    expect(() => checkReached(reach, new URL(url))).not.toThrow();
  });

  it.each(['https://example.org/', 'https://x.api.example.org/', 'https://example.net/', 'https://evilexample.net/', 'https://api.example.org.evil.test/', 'https://evil.test/?api.example.org', 'https://api.example.org@evil.test/', 'http://192.0.2.8/'])('does not let %s pass', (url) => {
    expect(() => checkReached(reach, new URL(url))).toThrow(expect.objectContaining(refused));
    // Without the list it would.
    expect(() => checkReached({ policy: 'internet', hosts: [] }, new URL(url))).not.toThrow();
  });

  it('is kept in one way of writing', () => {
    expect(reach.hosts).toEqual(['api.example.org', '*.example.net', 'xn--bcher-kva.example', '192.0.2.7', '[2001:db8::1]']);
    expect(list('a.test', 'A.TEST', 'a.test.').hosts).toEqual(['a.test']);
  });
});

it('nothing is nothing', () => {
  expect(() => checkReached(checkReach({ policy: 'none' }), new URL('https://example.org/'))).toThrow(expect.objectContaining(refused));
});

it.each([
  { policy: 'all' }, {}, { policy: 'list' }, { policy: 'list', hosts: [] }, { policy: 'list', hosts: 'a.test' }, { policy: 'list', hosts: [1] },
  ...['', 'http://a.test', 'a.test/x', 'a.test:80', 'a b', '*', '*.', 'a.*.test', '*.192.0.2.1', '*.[::1]', 'user@a.test', 'a%2etest', 'x'.repeat(254), '[::1', 'a\nb'].map((host) => ({ policy: 'list', hosts: [host] })),
  { policy: 'list', hosts: Array.from({ length: 101 }, (_, at) => `a${at}.test`) },
])('%j is no reach', (wanted) => {
  expect(() => checkReach(wanted)).toThrow(expect.objectContaining({ code: 'INVALID_FIELD' }));
});

describe('the meter', () => {
  it('refuses what is too much at once and in a minute, for this one only, and counts', () => {
    const clock = createFakeClock();
    const meter = createCallMeter(clock, silentLog);
    const limits = { callsOpen: 2, callsPerMinute: 3 };
    const ends = [meter.enter('a', limits), meter.enter('a', limits)];
    expect(() => meter.enter('a', limits)).toThrow(expect.objectContaining({ code: 'TOO_MANY_REQUESTS' }));
    expect(() => meter.enter('b', limits)).not.toThrow();
    for (const end of [...ends, ...ends]) end();
    meter.enter('a', limits)();
    expect(() => meter.enter('a', limits)).toThrow(expect.objectContaining({ code: 'TOO_MANY_REQUESTS' }));
    expect(() => meter.enter('a', { callsOpen: 2, callsPerMinute: 10 })).not.toThrow();
    expect(meter.counts('a')).toEqual({ open: 1, inMinute: 4, total: 4, refused: 2 });
    clock.advance(61_000);
    expect(() => meter.enter('a', limits)).not.toThrow();
    expect(meter.counts('a')).toMatchObject({ inMinute: 1, total: 5 });
  });

  it('lets nobody call whose number is 0', () => {
    const meter = createCallMeter(createFakeClock(), silentLog);
    expect(() => meter.enter('a', { callsOpen: 1, callsPerMinute: 0 })).toThrow(expect.objectContaining({ code: 'TOO_MANY_REQUESTS' }));
  });
});
