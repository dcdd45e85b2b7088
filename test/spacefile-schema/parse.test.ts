// Owns the proof that a Spacefile becomes its values, or issues at the right place, and never anything else.
import { Ajv } from 'ajv';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ENGINE_ALIASES, ENGINE_NAMES } from '../../spacefile-schema/engines.ts';
import { formatIssues } from '../../spacefile-schema/issue.ts';
import { parseSpacefile } from '../../spacefile-schema/parse.ts';
import schema from '../../spacefile-schema/spacefile.schema.json' with { type: 'json' };
import type { Spacefile } from '../../spacefile-schema/types.ts';

/** A Spacefile with one Micro of these further lines. */
const alone = (lines = '', engine = 'nodejs16') => `v: 0\nmicros:\n  - name: web\n    src: ./\n    engine: ${engine}\n${lines.replace(/^(?=.)/gm, '    ')}`;

/** A Spacefile with a primary and a secondary of these further lines. */
const pair = (lines = '', name = 'api') =>
  `${alone('primary: true')}\n  - name: ${name}\n    src: api\n    engine: nodejs16\n${lines.replace(/^(?=.)/gm, '    ')}`;

function valid(text: string): Spacefile {
  const { spacefile, issues } = parseSpacefile(text);
  expect(issues).toEqual([]);
  if (spacefile === undefined) throw new TypeError('no Spacefile');
  return spacefile;
}

const brief = (text: string) => parseSpacefile(text).issues.map(({ code, path, line, column }) => `${code} ${path} ${line}:${column}`);

it('is checked by a schema that is one itself, which no reader of a Spacefile looks at again', () => {
  const checked = new Ajv({ strict: true });
  expect(checked.validateSchema(schema), checked.errorsText()).toBe(true);
  expect(checked.validateSchema({ ...schema, required: 'v' })).toBe(false);
});

describe('a valid Spacefile', () => {
  it('gets every default', () => {
    expect(valid(alone())).toEqual({
      v: 0, autoPwa: true,
      micros: [{
        name: 'web', src: '.', engine: 'nodejs16', primary: true, path: '/', commands: [], include: [], publicRoutes: [],
        presets: { env: [], apiKeys: false }, provideActions: false, actions: [],
      }],
    });
  });

  it('keeps every field', () => {
    const text = `
v: 0
icon: ./assets/icon.png
app_name: "Notes"
auto_pwa: false
micros:
  - name: site
    src: ./web//app/
    engine: static
    primary: true
    serve: ./dist
    commands: [npm run build]
    public: true
  - name: a_p-I
    src: api
    engine: python3.9
    path: /api/v1/
    include: [main.py, ./lib/]
    run: uvicorn main:app
    dev: uvicorn main:app --reload
    presets:
      env:
        - {name: TOKEN, description: "a token", default: "1"}
        - name: other_name
      api_keys: true
    public_routes: ["/hook/*"]
    provide_actions: true
    actions:
      - {id: clean, name: Clean up, description: daily, trigger: schedule, default_interval: 0 10 * * *, path: /clean}
`;
    expect(valid(text)).toEqual({
      v: 0, icon: 'assets/icon.png', appName: 'Notes', autoPwa: false,
      micros: [
        {
          name: 'site', src: 'web/app', engine: 'static', primary: true, path: '/', serve: 'dist', commands: ['npm run build'], include: [],
          presets: { env: [], apiKeys: false }, publicRoutes: ['/*'], provideActions: false, actions: [],
        },
        {
          name: 'a_p-I', src: 'api', engine: 'python3.9', primary: false, path: '/api/v1', commands: [], include: ['main.py', 'lib'],
          run: 'uvicorn main:app', dev: 'uvicorn main:app --reload', publicRoutes: ['/hook/*'], provideActions: true,
          presets: { env: [{ name: 'TOKEN', description: 'a token', default: '1' }, { name: 'other_name', description: '' }], apiKeys: true },
          actions: [{ id: 'clean', name: 'Clean up', description: 'daily', trigger: 'schedule', defaultInterval: '0 10 * * *', path: '/clean' }],
        },
      ],
    });
  });

  it.each([
    ['', '/api'], ['path: api', '/api'], ['path: /x', '/x'], ['path: /x/', '/x'], ['path: x/y/', '/x/y'], ['path: a.b-c_~', '/a.b-c_~'],
  ])('with %j has the prefix %s', (line, path) => {
    expect(valid(pair(line)).micros[1]?.path).toBe(path);
  });

  it('ignores the path of a primary, and makes a lone Micro primary whatever it says', () => {
    expect(valid(alone('path: ../x\nprimary: true')).micros[0]?.path).toBe('/');
    expect(valid(alone('path: /x\nprimary: false')).micros[0]).toMatchObject({ primary: true, path: '/' });
  });

  it.each(ENGINE_NAMES)('may use the engine %s', (engine) => {
    const micro = valid(alone(engine === 'static' ? 'serve: ./' : '', engine)).micros[0];
    expect(micro?.engine).toBe(engine);
  });

  it.each(Object.entries(ENGINE_ALIASES))('may call an engine %s, which is %s', (alias, engine) => {
    expect(valid(alone('', alias)).micros[0]?.engine).toBe(engine);
  });

  it('fills in what an engine serves and which module an isolate runs', () => {
    expect(valid(alone('', 'react')).micros[0]?.serve).toBe('build');
    expect(valid(alone('serve: out', 'vue')).micros[0]?.serve).toBe('out');
    expect(valid(alone('', 'isolate')).micros[0]?.run).toBe('index.js');
    expect(valid(alone('run: ./src/main.ts', 'isolate')).micros[0]?.run).toBe('src/main.ts');
  });

  it('may use anchors and merge keys', () => {
    const text = 'v: 0\nmicros:\n  - &base {name: a, src: a, engine: nodejs16, primary: true}\n  - {<<: *base, name: b, primary: false}';
    expect(valid(text).micros.map(({ name, src }) => `${name} ${src}`)).toEqual(['a a', 'b a']);
  });

  it.each(['1 minute', '15 minutes', '2 days', '0 10 * * *', '0 18 * * mon-fri', '0/15 * * * *', '0 8 1 * ?'])('may have the interval %s', (interval) => {
    valid(alone(`actions: [{id: a, name: b, trigger: schedule, default_interval: "${interval}"}]`));
  });
});

it('has one list of engines', () => {
  expect(schema.definitions.micro.properties.engine.enum).toEqual([...ENGINE_NAMES, ...Object.keys(ENGINE_ALIASES)]);
});

describe('shape', () => {
  it.each<[string, string[]]>([
    ['', ['WRONG_TYPE  1:1']],
    ['- a', ['WRONG_TYPE  1:1']],
    ['v: 0', ['MISSING_FIELD micros 1:1']],
    ['v: 0\nmicros:\n  - {}', ['MISSING_FIELD micros[0].name 3:5', 'MISSING_FIELD micros[0].src 3:5', 'MISSING_FIELD micros[0].engine 3:5']],
    ['v: 1\nmicros: []', ['INVALID_VALUE v 1:4', 'TOO_FEW micros 2:9']],
    [`${alone()}\nname: x`, ['UNKNOWN_FIELD name 7:1']],
    [alone('runtime: x'), ['UNKNOWN_FIELD micros[0].runtime 6:5']],
    [alone('presets: {envs: []}'), ['UNKNOWN_FIELD micros[0].presets.envs 6:15']],
    [alone('presets: {env: [{name: a, value: b}]}'), ['UNKNOWN_FIELD micros[0].presets.env[0].value 6:31']],
    [alone('presets: {env: []}'), ['TOO_FEW micros[0].presets.env 6:20']],
    [alone('presets:\n  env:\n    - name: A\n      default: 5'), ['WRONG_TYPE micros[0].presets.env[0].default 9:20']],
    [alone('presets: {env: [{description: b}]}'), ['MISSING_FIELD micros[0].presets.env[0].name 6:21']],
    [alone('presets: {env: [{name: "A=B"}]}'), ['INVALID_FORMAT micros[0].presets.env[0].name 6:28']],
    [alone('commands:'), ['WRONG_TYPE micros[0].commands 6:14']],
    [alone('commands: npm i'), ['WRONG_TYPE micros[0].commands 6:15']],
    [alone('include: [a, a]'), ['DUPLICATE_VALUE micros[0].include 6:14']],
    [alone('public: "true"'), ['WRONG_TYPE micros[0].public 6:13']],
    [alone('public_routes: [""]'), ['TOO_SHORT micros[0].public_routes[0] 6:21']],
    [alone('actions: [{id: a, name: b, trigger: cron, default_interval: 1 day}]'), ['INVALID_VALUE micros[0].actions[0].trigger 6:41']],
    [alone(`actions: [{id: a, name: b, trigger: schedule, default_interval: 1 day, description: ${'x'.repeat(143)}}]`), ['TOO_LONG micros[0].actions[0].description 6:89']],
    [`app_name: abcdefghijklm\n${alone()}`, ['TOO_LONG app_name 1:11']],
    [alone().replace('web', '_web'), ['INVALID_FORMAT micros[0].name 3:11']],
    [alone().replace('web', 'we b'), ['INVALID_FORMAT micros[0].name 3:11']],
    [alone().replace('web', '7'), ['WRONG_TYPE micros[0].name 3:11']],
    [alone('', 'nodejs18'), ['INVALID_VALUE micros[0].engine 5:13']],
    [alone('', 'constructor'), ['INVALID_VALUE micros[0].engine 5:13']],
    [alone('__proto__: 1'), ['UNKNOWN_FIELD micros[0].__proto__ 6:5']],
    [`${alone()}\n1: x`, ['UNKNOWN_FIELD 1 7:1']],
  ])('of %j: %j', (text, expected) => {
    expect(brief(text)).toEqual(expected);
  });

  it('names the nearest valid value and what would be valid', () => {
    const text = alone('primray: true\npublic: yes', 'nodjs16');
    expect(parseSpacefile(text).issues).toMatchObject([
      { code: 'INVALID_VALUE', suggestion: 'nodejs16', expected: expect.stringContaining('isolate, static') },
      { code: 'UNKNOWN_FIELD', suggestion: 'primary', expected: expect.stringContaining('public_routes') },
      { code: 'WRONG_TYPE', suggestion: 'true', expected: 'true or false' },
    ]);
    expect(parseSpacefile(alone('', 'cobol')).issues[0]?.suggestion).toBeUndefined();
  });

  it('allows five Micros', () => {
    const micros = (count: number) => `v: 0\nmicros:\n${Array.from({ length: count }, (_, i) => `- {name: m${i}, src: ., engine: custom, primary: ${i === 0}}`).join('\n')}`;
    expect(valid(micros(5)).micros).toHaveLength(5);
    expect(brief(micros(6))).toEqual(['TOO_MANY micros 3:1']);
  });
});

describe('rules between fields', () => {
  it.each<[string, string[]]>([
    [alone('', 'static'), ['MISSING_FIELD micros[0].serve 3:5']],
    [alone('serve: .\ninclude: [a]', 'static'), ['FIELD_NOT_ALLOWED micros[0].include 7:5']],
    [alone('include: [a]', 'vue'), ['FIELD_NOT_ALLOWED micros[0].include 6:5']],
    [alone('serve: .'), ['FIELD_NOT_ALLOWED micros[0].serve 6:5']],
    [alone('serve: .', 'isolate'), ['FIELD_NOT_ALLOWED micros[0].serve 6:5']],
    [alone('run: node index.js', 'isolate'), ['INVALID_FORMAT micros[0].run 6:10']],
    [alone('run: ../index.js', 'isolate'), ['INVALID_FORMAT micros[0].run 6:10']],
    [alone('public: false\npublic_routes: [/a]'), ['FIELDS_CONFLICT micros[0].public 6:5']],
    [pair('', 'web'), ['DUPLICATE_NAME micros[1].name 7:11']],
    [pair('primary: true'), ['PRIMARY_MULTIPLE micros[1].primary 10:14']],
    [pair().replace('primary: true', ''), ['PRIMARY_MISSING micros 3:3']],
    [pair('path: /'), ['INVALID_PATH micros[1].path 10:11']],
    [pair('path: ""'), ['INVALID_PATH micros[1].path 10:11']],
    [pair('path: a/../b'), ['INVALID_PATH micros[1].path 10:11']],
    [pair('path: a//b'), ['INVALID_PATH micros[1].path 10:11']],
    [pair('path: a%2fb/%41'), ['INVALID_PATH micros[1].path 10:11']],
    [pair('path: a?b'), ['INVALID_PATH micros[1].path 10:11']],
    [pair('path: /__space/v0'), ['RESERVED_PATH micros[1].path 10:11']],
    [`${pair('path: /x')}\n  - {name: x, src: ., engine: custom}`, ['DUPLICATE_PATH micros[2].name 11:12']],
    [`${pair('path: /x')}\n  - {name: y, src: ., engine: custom, path: x/}`, ['DUPLICATE_PATH micros[2].path 11:45']],
    [alone().replace('./', '../'), ['OUTSIDE_PROJECT micros[0].src 4:10']],
    [alone().replace('./', 'a/../../b'), ['OUTSIDE_PROJECT micros[0].src 4:10']],
    [alone().replace('./', '/etc'), ['OUTSIDE_PROJECT micros[0].src 4:10']],
    [alone().replace('./', '..\\x'), ['OUTSIDE_PROJECT micros[0].src 4:10']],
    [alone().replace('./', 'C:\\x'), ['OUTSIDE_PROJECT micros[0].src 4:10']],
    [alone('serve: ../..', 'static'), ['OUTSIDE_PROJECT micros[0].serve 6:12']],
    [alone('include: [a, ../b]'), ['OUTSIDE_PROJECT micros[0].include[1] 6:18']],
    [`icon: ../icon.png\n${alone()}`, ['OUTSIDE_PROJECT icon 1:7']],
    [alone('actions:\n  - {id: a, name: b, trigger: schedule, default_interval: 1 minutes}'), ['INVALID_INTERVAL micros[0].actions[0].default_interval 7:63']],
    [alone('actions:\n  - {id: a, name: b, trigger: schedule, default_interval: 0 minutes}'), ['INVALID_INTERVAL micros[0].actions[0].default_interval 7:63']],
    [alone(`actions:\n${Array.from({ length: 6 }, (_, i) => `  - {id: a${i}, name: b${i}, trigger: schedule, default_interval: 1 day}`).join('\n')}`), ['TOO_MANY micros[0].actions 7:7']],
    [
      pair('actions: [{id: a, name: b, trigger: schedule, default_interval: 1 day}]').replace('primary: true', 'primary: true\n    actions: [{id: a, name: c, trigger: schedule, default_interval: 1 day}]'),
      ['DUPLICATE_NAME micros[1].actions[0].id 11:20'],
    ],
  ])('of %j: %j', (text, expected) => {
    expect(brief(text)).toEqual(expected);
  });

  it.each(['DETA_PROJECT_KEY', 'deta_api_key', 'DETA_SPACE_APP', 'DETA_BASE_HOST', 'PORT', 'PATH', 'NODE_OPTIONS', 'LD_PRELOAD', 'LD_LIBRARY_PATH', 'BASH_ENV', 'https_proxy', 'OWNSPACE_DATA', '__proto__'])('reserve the variable %s', (name) => {
    expect(brief(alone(`presets: {env: [{name: ${name}}]}`))).toEqual(['RESERVED_NAME micros[0].presets.env[0].name 6:28']);
  });

  it('reserve the bindings of an isolate there only', () => {
    expect(brief(alone('presets: {env: [{name: Base}]}', 'isolate'))).toEqual(['RESERVED_NAME micros[0].presets.env[0].name 6:28']);
    valid(alone('presets: {env: [{name: Base}, {name: NODE_ENV}, {name: PATHS}, {name: DETA_COLLECTION_KEY}]}'));
  });

  it('report everything at once, in the order of the text', () => {
    const text = 'v: 2\nmicros:\n  - {name: a, src: .., engine: x}\n  - {name: a, src: b, engine: nodejs16, serve: x, zzz: 1}';
    expect(brief(text)).toEqual([
      'INVALID_VALUE v 1:4', 'PRIMARY_MISSING micros 3:3', 'OUTSIDE_PROJECT micros[0].src 3:20', 'INVALID_VALUE micros[0].engine 3:32',
      'DUPLICATE_NAME micros[1].name 4:12', 'DUPLICATE_PATH micros[1].name 4:12', 'FIELD_NOT_ALLOWED micros[1].serve 4:41', 'UNKNOWN_FIELD micros[1].zzz 4:51',
    ]);
  });
});

describe('hostile text', () => {
  const bomb = `a0: &a0 [x,x,x,x,x,x,x,x,x]\n${Array.from({ length: 12 }, (_, i) => `a${i + 1}: &a${i + 1} [${Array(9).fill(`*a${i}`).join(',')}]`).join('\n')}`;

  it.each<[string, string, string]>([
    ['an alias bomb', bomb, 'YAML_ALIASES'],
    ['an unknown alias', 'v: *nobody', 'YAML_ALIASES'],
    ['a duplicate key', 'v: 0\nv: 0\nmicros: []', 'DUPLICATE_KEY'],
    ['100,000 Micros', `v: 0\nmicros:\n${'- {name: a, src: b, engine: custom}\n'.repeat(100_000)}`, 'TOO_LARGE'],
    ['as many Micros as fit', `v: 0\nmicros: [${'1,'.repeat(32_000)}]`, 'TOO_MANY'],
    ['as many empty Micros as fit', `v: 0\nmicros: [${'{},'.repeat(21_000)}]`, 'TOO_MANY'],
    ['as many keys as fit', Array.from({ length: 9000 }, (_, i) => `k${i}:`).join('\n'), 'UNKNOWN_FIELD'],
    ['one key again and again', 'a:\n'.repeat(20_000), 'DUPLICATE_KEY'],
    ['an abyss of lists', '['.repeat(60_000), 'YAML_TOO_DEEP'],
    ['an abyss of maps', '{a: '.repeat(15_000), 'YAML_TOO_DEEP'],
    ['an abyss of dashes', '- '.repeat(30_000), 'YAML_TOO_DEEP'],
    ['an abyss of indents', Array.from({ length: 350 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'), 'UNKNOWN_FIELD'],
    ['anchors everywhere', '&a '.repeat(20_000), 'YAML_SYNTAX'],
    ['wrong escapes', `"${'\\x'.repeat(30_000)}`, 'YAML_SYNTAX'],
    ['several documents', 'v: 0\n---\nv: 0', 'YAML_SYNTAX'],
    ['an unclosed list', 'v: 0\nmicros: [', 'YAML_SYNTAX'],
    ['a list inside itself', '&a [*a]', 'WRONG_TYPE'],
    ['Micros inside themselves', 'v: 0\nmicros: &m\n  - *m', 'WRONG_TYPE'],
    ['a set as a key', '%YAML 1.1\n---\n? !!set {a}\n: !!binary aGk=', 'UNKNOWN_FIELD'],
  ])('%s ends quickly in an issue', (_name, text, code) => {
    const before = process.cpuUsage();
    const { issues } = parseSpacefile(text);
    const { user, system } = process.cpuUsage(before); // of this process alone, however busy the machine is
    expect((user + system) / 1000).toBeLessThan(2000);
    expect(issues.map((issue) => issue.code)).toContain(code);
    expect(issues.length).toBeLessThanOrEqual(50);
    formatIssues(issues, text);
  });

  it('counts what does not fit into the report', () => {
    const { issues } = parseSpacefile(`${alone()}\n${Array.from({ length: 80 }, (_, i) => `x${i}: 1`).join('\n')}`);
    expect(issues).toHaveLength(50);
    expect(issues.at(-1)).toMatchObject({ code: 'MORE_ISSUES', message: 'There are at least 31 more problems.' });
  });

  const yamlish = fc.array(fc.constantFrom(
    'v', ': ', '0', '\n', '  ', '- ', 'micros:', 'name: ', 'engine: ', 'static', '&a ', '*a', '[', ']', '{', '}', '<<: ', '"', '\'', '|\n', '? ', '!!set ', '#', '---\n',
    '%YAML 1.1\n', '\t', 'null', '~', '.nan', '1e400', '__proto__', 'presets:', 'env:', 'src: ..', 'public', ',', '\u{feff}', '\r', '\u{d800}',
  ), { maxLength: 60 }).map((parts) => parts.join(''));
  const json = fc.object({ key: fc.oneof(fc.constantFrom('v', 'micros', 'name', 'src', 'engine', 'presets', 'env', 'actions', 'id', 'include', '0', '__proto__'), fc.string()), maxDepth: 5 }).map((value) => JSON.stringify(value));
  const mutated = fc.tuple(fc.nat(), fc.nat(8), fc.string({ maxLength: 5 })).map(([at, cut, text]) => {
    const base = pair('path: /x\nactions: [{id: a, name: b, trigger: schedule, default_interval: 1 day}]\npresets: {env: [{name: A}]}');
    const offset = at % base.length;
    return base.slice(0, offset) + text + base.slice(offset + cut);
  });

  it.each([['any text', fc.string({ unit: 'binary', maxLength: 400 })], ['pieces of YAML', yamlish], ['any JSON', json], ['damaged Spacefiles', mutated]])('%s gives a Spacefile or issues, never an exception', (_name, texts) => {
    fc.assert(fc.property(texts, (text) => {
      const { spacefile, issues } = parseSpacefile(text);
      expect((spacefile === undefined) === (issues.length > 0)).toBe(true);
      const lines = text.split('\n').length;
      for (const issue of issues) {
        expect(issue.message).not.toBe('');
        expect(issue.line).toBeGreaterThanOrEqual(1);
        expect(issue.line).toBeLessThanOrEqual(lines);
        expect(issue.column).toBeGreaterThanOrEqual(1);
      }
      expect(formatIssues(issues, text)).not.toMatch(/[\0-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
    }), { numRuns: 700 });
  });
});

it('shows a report that a person can act on', () => {
  const text = alone('', 'nodjs16');
  expect(formatIssues(parseSpacefile(text).issues, text)).toBe([
    'Spacefile:5:13  `micros[0].engine` cannot be `nodjs16`.',
    '    5 |     engine: nodjs16',
    '                    ^',
    `    expected: one of ${ENGINE_NAMES.join(', ')}`,
    '    did you mean `nodejs16`?',
  ].join('\n'));
  expect(formatIssues(parseSpacefile(text).issues)).not.toContain(' | ');
});
