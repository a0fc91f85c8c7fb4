// Spellings: an op as a call of a library's functions, as data that an op-level target prints or walks.
import type { Attr, Name, Node } from './graph.js';
import type { Shape, TensorType } from './type.js';

/** An expression of a target language; `shape` may hold batch dimensions. */
export type Expression =
  | { readonly kind: 'value'; readonly name: Name }
  | { readonly kind: 'literal'; readonly value: Attr }
  | { readonly kind: 'shape'; readonly shape: Shape }
  | { readonly kind: 'list'; readonly items: readonly Expression[] }
  | { readonly kind: 'call'; readonly callee: string; readonly args: readonly Expression[] };

/** What a spelling may ask of the graph around its node. */
export interface SpellingContext {
  typeOf(name: Name): TensorType;
}

/** How a node is written with tfjs: `tf.*` functions, and `rt.*` of the target's runtime file. */
export type Spelling = (node: Node, context: SpellingContext) => Expression;

export const value = (name: Name): Expression => ({ kind: 'value', name });
export const literal = (plain: Attr): Expression => ({ kind: 'literal', value: plain });
export const shapeOf = (shape: Shape): Expression => ({ kind: 'shape', shape });
export const list = (items: readonly Expression[]): Expression => ({ kind: 'list', items });
export const call = (callee: string, ...args: readonly Expression[]): Expression => ({
  kind: 'call',
  callee,
  args,
});

/** The plain case: a function of the operands, then of the named attributes. */
export function spelled(callee: string, ...attrs: readonly string[]): Spelling {
  return (node) =>
    call(callee, ...node.args.map(value), ...attrs.map((name) => literal(node.attrs[name] ?? null)));
}
