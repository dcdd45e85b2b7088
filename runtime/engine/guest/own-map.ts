// Owns a Map whose methods a guest cannot reach, so that it cannot change what this runtime keeps.

export const OwnMap = class<K, V> extends Map<K, V> {};
Object.defineProperties(OwnMap.prototype, {
  ...Object.getOwnPropertyDescriptors(Map.prototype),
  constructor: { value: OwnMap },
});
export type OwnMap<K, V> = Map<K, V>;
