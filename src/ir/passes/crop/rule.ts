// What cropping asks of an op: where its result can be other than zero, and what a part of it is computed from.
import type { Box } from '../../box.js';
import type { GraphBuilder } from '../../builder.js';
import type { Name, Node } from '../../graph.js';
import type { TensorType } from '../../type.js';

/** A node and the types of its operands, whole. */
export interface Site {
  readonly node: Node;
  readonly types: readonly TensorType[];
}

/** A part of a node that is to be computed. */
export interface Part extends Site {
  readonly builder: GraphBuilder;
  readonly box: Box;
  /** The parts of the operands that `reads` asks for; undefined for one that is not read. */
  readonly args: readonly (Name | undefined)[];
  /** The type of the part, and the name it takes. */
  readonly type: TensorType;
  readonly name: Name;
}

export interface CropRule {
  /** A box outside of which the result is zero, by those of the operands; all of it if left out. */
  support?(site: Site, supports: readonly Box[]): Box;
  /** A box that holds `box` and that the op computes by itself; `box` if left out. */
  widened?(site: Site, box: Box): Box;
  /** What the result in a box is computed from; undefined for an operand that is not read. */
  reads(site: Site, box: Box, supports: readonly Box[]): readonly (Box | undefined)[];
  /** Whether the result is a part of its operand as that stands. */
  isPart?(site: Site): boolean;
  /** Adds the part; the same op with the same attributes if left out. */
  build?(part: Part): Name;
}
