// Owns the proof that whatever a Micro says of its actions does no harm, and that inputs and outputs are what they are said to be.
import { describe, expect, test } from 'vitest';
import { checkInputs, readActions, wrapOutput, type AppAction } from '../../../runtime/action/app-action.ts';
import { codeOf } from '../../support/identity.ts';

const read = (actions: unknown): AppAction[] | undefined => readActions(JSON.stringify({ actions }), 'web');
const GOOD = { name: 'save', title: 'Save a note', path: '/actions/save', input: [{ name: 'text', type: 'string' }, { name: 'pin', type: 'boolean', optional: true }], output: '@deta/detail' };

describe('metadata', () => {
  test('as the helper packages write it', () => {
    expect(read([GOOD, { name: 'random', path: 'random', input: null }, { name: 'no path' }])).toEqual([
      { name: 'save', title: 'Save a note', micro: 'web', path: '/actions/save', output: '@deta/detail', input: [{ name: 'text', type: 'string', optional: false }, { name: 'pin', type: 'boolean', optional: true }] },
      { name: 'random', title: 'random', micro: 'web', path: '/random', input: [], output: '@deta/raw' },
      { name: 'no path', title: 'no path', micro: 'web', path: '/__space/actions/no%20path', input: [], output: '@deta/raw' },
    ]);
  });

  test.each(['', 'null', '[]', '{}', '{"actions":{}}', '{"actions":"x"}', '<html>', '{"actions":[', '"actions"', '5'])('%j is none', (text) => expect(readActions(text, 'web')).toBeUndefined());

  test.each<[string, object]>([
    ['no name', { name: undefined }], ['a number for a name', { name: 5 }], ['an empty name', { name: '' }], ['a long name', { name: 'x'.repeat(65) }], ['a name with a line break', { name: 'a\nb' }], ['a name that turns its line around', { name: 'a\u202eb' }],
    ['a path to another host', { path: 'https://evil.example/x' }], ['a path without a scheme', { path: '//evil.example/x' }], ['a path out of the Micro', { path: '/../x' }], ['an encoded way out', { path: '/a/%2e%2e/%2e%2e/x' }], ['a hidden way out', { path: '/a/..%2fx' }],
    ['a script for a path', { path: 'javascript:alert(1)' }], ['a path with a query', { path: '/x?a=b' }], ['a backslash', { path: '/a\\b' }], ['a path of the platform', { path: '/__space/v0/actions' }], ['the same in capitals', { path: '/__SPACE/v0/x' }], ['a long path', { path: `/${'x'.repeat(600)}` }], ['a list for a path', { path: [] }],
    ['inputs that are no list', { input: { text: 'string' } }], ['an input of another type', { input: [{ name: 'f', type: 'file' }] }], ['an input without a name', { input: [{ type: 'string' }] }], ['two inputs of one name', { input: [{ name: 'a', type: 'string' }, { name: 'a', type: 'number' }] }],
    ['too many inputs', { input: Array.from({ length: 33 }, (_, at) => ({ name: `i${at}`, type: 'string' })) }], ['an input that is a text', { input: ['text'] }],
  ])('%s: that action is left out, the others stay', (_, change) => expect(read([{ ...GOOD, ...change }, { name: 'fine' }])?.map(({ name }) => name)).toEqual(['fine']));

  test('a thousand actions, twins, and objects that are none', () => {
    expect(read(Array.from({ length: 1000 }, (_, at) => ({ name: `a${at}` })))).toHaveLength(50);
    expect(read([GOOD, { ...GOOD, title: 'Another' }, null, 5, [], 'x', { name: '__proto__' }])?.map(({ title }) => title)).toEqual(['Save a note']);
    expect(read([{ ...GOOD, title: 5, output: { x: 1 } }, { name: 'b', output: 'x\ny' }])).toMatchObject([{ title: 'save', output: '@deta/raw' }, { output: '@deta/raw' }]);
  });
});

describe('inputs', () => {
  const action = read([{ name: 'add', input: [{ name: 'text', type: 'string' }, { name: 'size', type: 'number', optional: true }, { name: 'constructor', type: 'boolean', optional: true }] }])![0]!;
  test('of their types pass, and nothing else does', () => {
    expect(checkInputs(action, { text: 'x', size: 2.5, constructor: true })).toEqual({ text: 'x', size: 2.5, constructor: true });
    expect(checkInputs(action, { text: '', size: null })).toEqual({ text: '' });
  });
  test.each([[{}], [{ text: 5 }], [{ text: 'x', size: '5' }], [{ text: 'x', size: Infinity }], [{ text: 'x', other: 1 }], [{ text: ['x'] }], [{ text: null }], [{ text: 'x', constructor: 'yes' }]])('%o is refused', async (inputs) => {
    expect(await codeOf((async () => checkInputs(action, inputs))())).toBe('ACTION_INPUT_INVALID');
  });
});

describe('outputs', () => {
  const wrap = (output: string, text: string) => wrapOutput({ output } as AppAction, text);
  test('are JSON where they are, else text', () => {
    expect(wrap('@deta/raw', '{"a":1}')).toEqual({ type: '@deta/raw', data: { a: 1 } });
    expect(wrap('@deta/raw', 'hello')).toEqual({ type: '@deta/raw', data: 'hello' });
    expect(wrap('my-card', 'null')).toEqual({ type: 'my-card', data: null });
  });
  test('a card has an object for data, with links to the web only', () => {
    expect(wrap('@deta/detail', '"text"')).toEqual({ type: '@deta/raw', data: 'text' });
    const items = [{ title: 'a', url: 'javascript:alert(1)', card: { type: '@deta/file', data: { url: 'file:///etc/passwd', name: 'x' } } }, { url: 'https://a.example/', image_url: '/own.png' }];
    expect(wrap('@deta/list', JSON.stringify({ title: 'T', items }))).toEqual({ type: '@deta/list', data: { title: 'T', items: [{ title: 'a', card: { type: '@deta/file', data: { name: 'x' } } }, { url: 'https://a.example/', image_url: '/own.png' }] } });
    const deep = `${'['.repeat(2000)}${']'.repeat(2000)}`;
    expect(wrap('@deta/list', `{"items":${deep}}`).type).toBe('@deta/list');
  });
});
