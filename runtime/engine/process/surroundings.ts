// Owns the shape of what a program finds around itself besides its own files: names, ports that lead to this host, variables.
import type { CallDepth } from '../call-depth.ts';
import type { InstanceSpec } from '../engine.ts';

export interface Surroundings {
  env: Readonly<Record<string, string>>;
  /** Ports of the box's loopback -> Unix sockets of this host. */
  forwards: Readonly<Record<number, string>>;
  /** Names that lead to that loopback. */
  hosts: readonly string[];
  /** Certificates (PEM) that it trusts besides. */
  authority?: string;
  /** It got a request that came by so many calls of Micros. @returns what ends it */
  received?(hops: number): () => void;
  /** It makes a call. @returns by how many calls that comes, and what ends it */
  calling?: CallDepth['calling'];
  close(): Promise<void>;
}

export interface Place {
  instance: InstanceSpec;
  micro: string;
  /** Sockets for this program alone are made beside it: `.tls`, `.out`. */
  socketPath: string;
  /** Who has to be able to connect, where the box runs as a user of its own. */
  user: number | undefined;
}

export type SurroundingsOf = (place: Place) => Promise<Surroundings>;
