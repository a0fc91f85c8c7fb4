// What a raiser is: a composite's name, how it is found at a node, and why what is almost one is none.
import type { Arithmetic } from '../../../arithmetic.js';
import type { Name, Node } from '../../../graph.js';
import type { Values } from './values.js';

/** Adds the composite to a graph under the name of the node it stands for. */
export type Raised = (k: Arithmetic, name: Name) => Name;

/** How what is almost a composite is told, where that can be told. */
export interface NearMisses {
  /** The ops that such arithmetic has and little else. */
  readonly anchors: readonly string[];
  /** Why the arithmetic around an anchor is no composite; undefined where it is nothing like one. */
  missed(values: Values, anchor: Node): string | undefined;
}

export interface Raiser {
  /** The ops that it raises. */
  readonly composites: readonly string[];
  /** The ops that the last step of its arithmetic can be. */
  readonly ends: readonly string[];
  /** The composite that a node is the last step of. */
  find(values: Values, node: Node): Raised | undefined;
  readonly near?: NearMisses;
}
