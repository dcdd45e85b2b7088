// Owns Deta's update of one Item: five operations that apply together to the old Item, or not at all. Pure.
import { SpaceError } from '../core/errors.ts';
import { expiryOf } from './expiry.ts';
import { ITEM_MAX_BYTES, itemJson } from './item.ts';
import type { Item } from './item.ts';
import { isObject, ownValue, setOwn, unstorableReason } from './json-value.ts';
import type { JsonObject } from './json-value.ts';

type Operation = 'set' | 'increment' | 'append' | 'prepend' | 'delete';

interface Step { operation: Operation; path: string[]; operand: unknown }

export interface Update {
  steps: Step[];
  /** The operations as they were sent, without empty ones. */
  echo: JsonObject;
}

const MAPPED: readonly Operation[] = ['set', 'increment', 'append', 'prepend'];

/** @throws BASE_BAD_UPDATE: no operation, wrong operands, the attribute `key`, overlapping paths   @source reference 4.2, PATCH */
export function parseUpdate(request: JsonObject): Update {
  const steps: Step[] = [];
  const echo: JsonObject = {};
  for (const operation of MAPPED) {
    const operands = ownValue(request, operation) ?? {};
    if (!isObject(operands)) throw badUpdate(`\`${operation}\` is an object`);
    for (const [name, operand] of Object.entries(operands)) steps.push(checkedStep(operation, name, operand));
    if (Object.keys(operands).length > 0) echo[operation] = operands;
  }
  const deleted = ownValue(request, 'delete') ?? [];
  if (!Array.isArray(deleted)) throw badUpdate('`delete` is a list of names');
  for (const name of deleted) steps.push(checkedStep('delete', name, undefined));
  if (deleted.length > 0) echo.delete = deleted;
  if (steps.length === 0) throw badUpdate('No updates provided');
  assertBounded(steps);
  assertApart(steps);
  return { steps, echo };
}

/** @param value the stored Item; it is changed   @throws BASE_BAD_UPDATE, ITEM_TOO_LARGE */
export function updateItem(key: string, value: JsonObject, update: Update): Item {
  for (const step of update.steps) applyStep(value, step);
  const reason = unstorableReason(value);
  if (reason !== undefined) throw badUpdate(reason);
  return { key, json: itemJson(value), value, expires: expiryOf(value) };
}

function badUpdate(reason: string): SpaceError {
  return new SpaceError('BASE_BAD_UPDATE', { reason });
}

function checkedStep(operation: Operation, name: unknown, operand: unknown): Step {
  if (typeof name !== 'string' || name === '') throw badUpdate('An attribute name is a non-empty text');
  const path = name.split('.');
  if (path.includes('')) throw badUpdate(`\`${name}\` is not a path`);
  if (path[0] === 'key') throw badUpdate('The key of an item cannot be updated');
  if (operation === 'increment' && (typeof operand !== 'number' || !Number.isFinite(operand))) throw badUpdate(`\`${name}\` can only be incremented by a number`);
  if ((operation === 'append' || operation === 'prepend') && !Array.isArray(operand)) throw badUpdate(`\`${operation}\` takes a list for \`${name}\``);
  return { operation, path, operand };
}

/** No Item has room for more; the check of overlaps takes memory in proportion. */
function assertBounded(steps: readonly Step[]): void {
  const length = steps.reduce((sum, { path }) => sum + path.reduce((inner, name) => inner + name.length + 1, 0), 0);
  if (length > ITEM_MAX_BYTES) throw new SpaceError('ITEM_TOO_LARGE', { limitBytes: ITEM_MAX_BYTES });
}

interface PathNode { isTarget: boolean; below: Map<string, PathNode> }

/** No path may equal another, or lie inside of it. */
function assertApart(steps: readonly Step[]): void {
  const root: PathNode = { isTarget: false, below: new Map() };
  for (const { path } of steps) {
    let node = root;
    for (const name of path) {
      if (node.isTarget) throw overlap(path);
      const next = node.below.get(name) ?? { isTarget: false, below: new Map() };
      node.below.set(name, next);
      node = next;
    }
    if (node.isTarget || node.below.size > 0) throw overlap(path);
    node.isTarget = true;
  }
}

function overlap(path: string[]): SpaceError {
  return badUpdate(`Two updates overlap at \`${path.join('.')}\``);
}

function applyStep(item: JsonObject, { operation, path, operand }: Step): void {
  const parent = parentOf(item, path);
  const name = path.at(-1)!;
  if (operation === 'delete') delete parent[name];
  else setOwn(parent, name, operation === 'set' ? operand : combined(operation, ownValue(parent, name), operand, path));
}

function parentOf(item: JsonObject, path: string[]): JsonObject {
  let parent = item;
  for (const name of path.slice(0, -1)) {
    const below = ownValue(parent, name);
    if (!isObject(below)) throw badUpdate(`\`${path.join('.')}\`: \`${name}\` is not an object`);
    parent = below;
  }
  return parent;
}

function combined(operation: 'increment' | 'append' | 'prepend', old: unknown, operand: unknown, path: string[]): unknown {
  if (operation === 'increment') {
    if (typeof old !== 'number') throw badUpdate(`\`${path.join('.')}\` is not a number`);
    return old + (operand as number);
  }
  if (!Array.isArray(old)) throw badUpdate(`\`${path.join('.')}\` is not a list`);
  const list = operand as unknown[];
  return operation === 'append' ? [...old, ...list] : [...list, ...old];
}
