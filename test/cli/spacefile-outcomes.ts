// Owns a table of Spacefiles with one thing wrong each, and what Deta's own CLI and ours say of them.
// @source reference 2.2 to 2.5

export interface Outcome {
  name: string;
  /** None: there is no file. */
  spacefile?: string;
  /** Part of what Deta's CLI says; undefined where it finds nothing wrong. */
  original?: string;
  /** Part of what ours says; undefined where it is valid here. */
  ours?: string;
}

const STATIC = 'engine: static\n    serve: ./\n';

function micro(more = '', { name = 'a', src = './a', engine = STATIC }: { name?: string; src?: string; engine?: string } = {}): string {
  return `  - name: ${name}\n    src: ${src}\n    ${engine}${more}`;
}

function spacefile(...micros: string[]): string {
  return `v: 0\nmicros:\n${micros.join('')}`;
}

const NODE = 'engine: nodejs16\n';
const PRIMARY = '    primary: true\n';
const env = (lines: string): string => `    presets:\n      env:\n        - ${lines}`;
const action = (lines: string): string => `    actions:\n      - name: Tidy\n${lines}`;
const TIDY = '        id: tidy\n        trigger: schedule\n';

export const OUTCOMES: readonly Outcome[] = [
  { name: 'no file', original: 'Spacefile not found', ours: 'Spacefile not found' },
  { name: 'no YAML', spacefile: 'v: 0\nmicros: [\n', original: 'yaml: line 2', ours: 'This is not valid YAML' },
  { name: 'another version', spacefile: spacefile(micro()).replace('v: 0', 'v: 1'), original: 'v -> value must be "0"', ours: '`v` cannot be `1`' },
  { name: 'no micros, as new --blank writes it', spacefile: 'v: 0\n', original: "missing properties: 'micros'", ours: 'has no `micros`' },
  { name: 'six micros', spacefile: spacefile(...[1, 2, 3, 4, 5, 6].map((n) => micro(n === 1 ? PRIMARY : '', { name: `m${n}` }))), original: 'maximum 5 items required', ours: '5 at most' },
  { name: 'an unknown field', spacefile: `${spacefile(micro())}nme: x\n`, original: "unknown field 'nme' not allowed", ours: 'unknown field `nme`' },
  { name: 'an unknown field of a Micro', spacefile: spacefile(micro('    pth: x\n')), original: "unknown field 'pth' not allowed", ours: 'did you mean `path`?' },
  { name: 'a field that only the source of the CLI has', spacefile: spacefile(micro('    runtime: x\n')), original: "unknown field 'runtime'", ours: 'unknown field `runtime`' },
  { name: 'a name with a hyphen first', spacefile: spacefile(micro('', { name: '"-a"' })), original: 'does not match pattern', ours: '`micros[0].name` cannot be `-a`' },
  { name: 'a name with an underscore', spacefile: spacefile(micro('', { name: 'a_b' })) },
  { name: 'an app_name of 13 letters', spacefile: `${spacefile(micro())}app_name: thirteenchars\n`, original: 'length must be <= 12', ours: '12 at most' },
  { name: 'an unknown engine', spacefile: spacefile(micro('', { engine: 'engine: rust\n' })), original: 'engine -> value must be one of', ours: 'cannot be `rust`' },
  { name: 'the engine nodejs14', spacefile: spacefile(micro('', { engine: 'engine: nodejs14\n' })), original: 'engine -> value must be one of' },
  { name: 'the engine isolate, which is ours', spacefile: spacefile(micro('', { engine: 'engine: isolate\n' })), original: 'engine -> value must be one of' },
  { name: 'static without serve', spacefile: spacefile(micro('', { engine: 'engine: static\n' })), original: "missing properties: 'serve'", ours: 'has no `serve`' },
  { name: 'static with include', spacefile: spacefile(micro('    include: ["x"]\n')), original: "L Micro 'a'", ours: 'cannot have `include`' },
  { name: 'Node with serve', spacefile: spacefile(micro('    serve: ./\n', { engine: NODE })), original: "L Micro 'a'", ours: 'cannot have `serve`' },
  { name: 'include with an entry twice', spacefile: spacefile(micro('    include: ["x", "x"]\n', { engine: NODE })), original: 'items at index 0 and 1 are equal', ours: 'each entry once' },
  { name: 'no commands in commands', spacefile: spacefile(micro('    commands: []\n')), original: 'minimum 1 items required', ours: '`micros[0].commands` is empty' },
  { name: 'public beside public_routes', spacefile: spacefile(micro('    public: false\n    public_routes: ["/x"]\n')), original: 'not failed', ours: 'exclude each other' },
  { name: 'an empty public route', spacefile: spacefile(micro('    public_routes: [""]\n')), original: 'length must be >= 1', ours: '`micros[0].public_routes[0]` is empty' },
  { name: 'a default that is a number', spacefile: spacefile(micro(env('name: LIMIT\n          default: 3\n'))), original: 'default -> expected string', ours: 'did you mean `"3"`?' },
  { name: 'a variable without a name', spacefile: spacefile(micro(env('description: x\n'))), original: "missing properties: 'name'", ours: 'has no `name`' },
  { name: 'an unknown field of a variable', spacefile: spacefile(micro(env('name: A\n          vlue: x\n'))), original: "unknown field 'vlue'", ours: 'unknown field `vlue`' },
  { name: 'a variable that the platform sets', spacefile: spacefile(micro(env('name: DETA_PROJECT_KEY\n'))), ours: 'the name is reserved' },
  { name: 'an action without an id', spacefile: spacefile(micro(action('        trigger: schedule\n        default_interval: 1 hour\n'))), original: "missing properties: 'id'", ours: 'has no `id`' },
  { name: 'an action with another trigger', spacefile: spacefile(micro(action('        id: tidy\n        trigger: hourly\n        default_interval: 1 hour\n'))), original: 'trigger -> value must be "schedule"', ours: 'cannot be `hourly`' },
  { name: 'an action with a long description', spacefile: spacefile(micro(action(`${TIDY}        default_interval: 1 hour\n        description: ${'x'.repeat(143)}\n`))), original: 'length must be <= 142', ours: '142 at most' },
  { name: 'an action with no interval that is one', spacefile: spacefile(micro(action(`${TIDY}        default_interval: sometimes\n`))), ours: '`default_interval`' },
  { name: 'a key that is no text', spacefile: `${spacefile(micro())}1: x\n`, ours: 'unknown field `1`' },
  { name: 'a name twice', spacefile: spacefile(micro(PRIMARY), micro()), original: 'micro names have to be unique, duplicate micro `a` found', ours: 'The Micro `a` is there twice' },
  { name: 'two primary Micros', spacefile: spacefile(micro(PRIMARY), micro(PRIMARY, { name: 'b' })), original: 'multiple primary micros present', ours: 'Micro `b` is primary, and so is `a`' },
  { name: 'no primary Micro', spacefile: spacefile(micro(), micro('', { name: 'b' })), original: 'no primary micro present', ours: 'No Micro is the primary one' },
  { name: 'one Micro, not primary', spacefile: spacefile(micro()) },
  { name: 'a src that is not there', spacefile: spacefile(micro('', { src: './nowhere' })), original: 'micro a src ./nowhere not found', ours: 'its folder `nowhere` (src) was not found' },
  { name: 'a src that is not there, of the primary Micro', spacefile: spacefile(micro(PRIMARY, { src: './nowhere' })), ours: 'its folder `nowhere` (src) was not found' },
  { name: 'a path twice', spacefile: spacefile(micro(PRIMARY), micro('    path: x\n', { name: 'b' }), micro('    path: /x/\n', { name: 'c' })), ours: 'The path `/x` is there twice' },
  { name: 'the path / of another Micro', spacefile: spacefile(micro(PRIMARY), micro('    path: /\n', { name: 'b' })), ours: 'the root belongs to the primary Micro' },
  { name: 'an icon that is not there', spacefile: `${spacefile(micro())}icon: ./none.png\n`, original: 'cannot find the icon', ours: 'The icon `none.png` was not found' },
  { name: 'an icon that is no picture', spacefile: `${spacefile(micro())}icon: ./a/index.html\n`, original: 'invalid icon type', ours: 'is no PNG, WebP, JPEG or GIF picture' },
];
