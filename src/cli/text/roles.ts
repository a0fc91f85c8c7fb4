// Roles: what each input of a model that reads tokens is for, by its name.
import { RelcError } from '../../ir/error.js';
import type { Node } from '../../ir/graph.js';
import { elementCount, isBatched, printType } from '../../ir/type.js';

/** Inputs by role; of one shape all of them, a number a token. */
export interface TokenInputs {
  readonly ids: Node;
  /** 1 for tokens, 0 for padding. */
  readonly mask?: Node;
  /** The part of the text that a token belongs to. */
  readonly types?: Node;
  /** 0, 1, 2, … */
  readonly positions?: Node;
  /** Tokens of a sample. */
  readonly length: number;
}

/** A name without its path, output number and count: `serving_default_input_ids:0` ends in `input_ids`. */
const plain = (name: string) =>
  name
    .toLowerCase()
    .replace(/:\d+$/, '')
    .replace(/_\d+$/, '')
    .replaceAll(/[^a-z]+/g, '_');

/** Roles by the ends of names. PyTorch's key_padding_mask is 1 where others are 0, and no role. */
const filled = {
  mask: /(^|_)(?<!key_)(attention_|input_|padding_)?mask$/,
  types: /(^|_)(type_ids?|segment_ids?|segments|token_types?)$/,
  positions: /(^|_)(position_ids?|positions?)$/,
} as const;
type FilledRole = keyof typeof filled;

const filledRoles = Object.keys(filled) as FilledRole[];
const namedIds = /(^|_)(ids|tokens|words)$/;

function roleOf({ name }: Node): FilledRole | undefined {
  return filledRoles.find((role) => filled[role].test(plain(name)));
}

/** Whether an input has one axis besides the batch, or its only other axes are 1. */
function isRow({ type }: Node): boolean {
  const extents = isBatched(type) ? type.shape.slice(1) : type.shape;
  return extents.length > 0 && extents.filter((extent) => extent !== 1).length <= 1;
}

const listed = (nodes: readonly Node[]) =>
  nodes.map(({ name, type }) => `${name} ${printType(type)}`).join(', ');

function unfilled(node: Node): RelcError {
  return new RelcError(
    'RELC5009',
    `input ${node.name} ${printType(node.type)} cannot be filled from a text: nothing says what it is for`,
    'inputs are filled by name: input_ids, attention_mask, token_type_ids, position_ids; or give all of them by name in a JSON object',
  );
}

/** The input of ids among those without another role: the only one, or the only one that is called so. */
function idsAmong(nodes: readonly Node[]): Node | undefined {
  if (nodes.length === 1) return nodes[0];
  const named = nodes.filter(({ name }) => namedIds.test(plain(name)));
  return named.length === 1 ? named[0] : undefined;
}

/**
 * The inputs of a model that reads tokens.
 * @throws RelcError RELC5009 where one of them has no role, or another shape
 */
export function tokenInputs(nodes: readonly Node[]): TokenInputs {
  const others = nodes.filter((node) => roleOf(node) === undefined);
  const ids = idsAmong(others);
  if (ids === undefined || !isRow(ids)) {
    throw new RelcError(
      'RELC5009',
      `the model takes ${listed(nodes)}, and none of them is one row of token ids [N, tokens]`,
      'explain the part of the model from the token ids on',
    );
  }
  const length = elementCount(ids.type.shape);
  const unknown = nodes.find(
    (node) =>
      node !== ids && (others.includes(node) || !isRow(node) || elementCount(node.type.shape) !== length),
  );
  if (unknown !== undefined) throw unfilled(unknown);
  const byRole = filledRoles.map((role) => [role, nodes.filter((node) => roleOf(node) === role)] as const);
  const double = byRole.find(([, own]) => own.length > 1);
  if (double !== undefined) throw unfilled(double[1][1]!);
  const found = byRole.flatMap(([role, [node]]) => (node === undefined ? [] : [[role, node] as const]));
  return { ids, length, ...Object.fromEntries(found) };
}

/** Whether a model takes a row of integers, beside what is filled by name: token ids, if nothing else is known. */
export function takesIds(nodes: readonly Node[]): boolean {
  const ids = idsAmong(nodes.filter((node) => roleOf(node) === undefined));
  return ids !== undefined && ids.type.dtype === 'i32' && isRow(ids);
}
