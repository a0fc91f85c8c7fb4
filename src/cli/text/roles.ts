// Roles: what each input of a model that reads tokens is for, by its name.
import { RelcError } from '../../ir/error.js';
import { type Graph, type Name, type Node, nodeOf, usesOf } from '../../ir/graph.js';
import { elementCount, isBatched, printType } from '../../ir/type.js';

/** The inputs of a model, and its graph. */
export interface ModelInputs {
  readonly nodes: readonly Node[];
  readonly graph: Graph;
}

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

/**
 * Roles by the ends of names. PyTorch's key_padding_mask is 1 where others are 0, Longformer's global_attention_mask is
 * about other tokens: they have none.
 */
const filled = {
  mask: /(^|(?<!key|global)_)(attention|input|padding)_mask$|^mask$/,
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

/** Inputs that have one role each; of what has none, those that were given stay as they are. */
function byRole(nodes: readonly Node[], { ids, length }: TokenInputs, given: ReadonlySet<Name>) {
  const roles: { -readonly [Role in FilledRole]?: Node } = {};
  for (const node of nodes) {
    const role = roleOf(node);
    const fits = isRow(node) && elementCount(node.type.shape) === length;
    if (role !== undefined && roles[role] === undefined && fits) roles[role] = node;
    else if (node !== ids && !given.has(node.name)) throw unfilled(node);
  }
  return roles;
}

/**
 * The inputs of a model that reads tokens.
 * @param given  names of inputs that need not be filled
 * @throws RelcError RELC5009 where one of the others has no role, or another shape
 */
export function tokenInputs(nodes: readonly Node[], given: ReadonlySet<Name> = new Set()): TokenInputs {
  const ids = idsAmong(nodes.filter((node) => roleOf(node) === undefined));
  if (ids === undefined || !isRow(ids)) {
    throw new RelcError(
      'RELC5009',
      `the model takes ${listed(nodes)}, and none of them is known for one row of token ids [N, tokens]`,
      'explain the part of the model from the token ids on',
    );
  }
  const inputs = { ids, length: elementCount(ids.type.shape) };
  return { ...inputs, ...byRole(nodes, inputs, given) };
}

/**
 * Rows of the table that ids are looked up in, the smallest where there are several; undefined where none is found.
 */
export function vocabularyOf(graph: Graph, ids: Name): number | undefined {
  const uses = usesOf(graph);
  const sizes: number[] = [];
  const visit = (name: Name): void => {
    for (const { user, slot } of uses.get(name)!) {
      const { op, args, attrs } = nodeOf(graph, user);
      if (op === 'cast' || op === 'reshape') visit(user);
      else if (op === 'gather' && slot === 1) {
        sizes.push(nodeOf(graph, args[0]!).type.shape[attrs.axis as number] as number);
      }
    }
  };
  visit(ids);
  return sizes.length === 0 ? undefined : Math.min(...sizes);
}

/**
 * Whether a model takes a row of token ids, if nothing else is known: integers beside what is filled by name, or numbers
 * that a table is looked up by.
 */
export function takesIds({ nodes, graph }: ModelInputs): boolean {
  const ids = idsAmong(nodes.filter((node) => roleOf(node) === undefined));
  if (ids === undefined || !isRow(ids)) return false;
  return ids.type.dtype === 'i32' || vocabularyOf(graph, ids.name) !== undefined;
}
