// Covers which packages stay what old programs knew, and that whoever names a version has it.
import { expect, test } from 'vitest';
import { heldBy } from '../../builder/toolchain/python-held.ts';

test.each([
  ['fastapi', ['starlette<1']],
  ['deta\nFastAPI[all]  # the web\nuvicorn', ['starlette<1']],
  ['fastapi; python_version > "3"', ['starlette<1']],
  ['fastapi>=0.88.0', ['starlette<1']],
  ['starlette', ['starlette<1']],
  ['fastapi>=0.150', []],
  ['fastapi==0.150.0', []],
  ['fastapi~=0.112.2', []],
  ['fastapi>=0.88,<1', []],
  ['fastapi\nstarlette>=1', []],
  ['fastapi-utils\nflask\n-r other.txt\n', []],
  ['', []],
])('%j holds %j', (requirements, lines) => {
  expect(heldBy(requirements)).toEqual(lines);
});
