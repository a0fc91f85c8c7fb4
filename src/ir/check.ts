// The check of one node against its op's entry: what builder, parser, tracer and verifier share.
import { checkAttrs, checkOperandCount, type Dialect, type OpDefinition, OpProblem } from './dialect.js';
import { RelcError } from './error.js';
import { type Attrs, type Loc, type Name, printLoc } from './graph.js';
import { printShape, printType, type TensorType } from './type.js';

/** A node before its type is known. */
export interface Draft {
  readonly name: Name;
  readonly op: string;
  readonly args: readonly Name[];
  readonly attrs: Attrs;
  readonly loc: Loc;
}

/** `%y = einsum: …  (fc2 at model.ts:31:9)` around what an op found wrong. */
export function atNode(draft: Draft, problem: OpProblem): RelcError {
  const place = printLoc(draft.loc);
  const where = place === '' ? '' : `  (${place})`;
  return new RelcError(
    problem.code,
    `%${draft.name} = ${draft.op}: ${problem.message}${where}`,
    problem.hint,
  );
}

/** Runs `action`, naming the node in whatever {@link OpProblem} it throws. */
export function blaming<Result>(draft: Draft, action: () => Result): Result {
  try {
    return action();
  } catch (error) {
    throw error instanceof OpProblem ? atNode(draft, error) : error;
  }
}

/** The entry of an op. @throws OpProblem RELC1002 */
export function definitionOf(dialect: Dialect, op: string): OpDefinition {
  const definition = Object.hasOwn(dialect, op) ? dialect[op] : undefined;
  if (definition !== undefined) return definition;
  const near = Object.keys(dialect).filter((known) => known.startsWith(op.slice(0, 3)));
  throw new OpProblem(
    'RELC1002',
    'there is no such op',
    near.length > 0 ? `did you mean ${near.slice(0, 4).join(', ')}?` : undefined,
  );
}

/** @throws OpProblem where an extent is no positive integer or the batch is not in front */
function checkShape(type: TensorType): void {
  const bad = type.shape.find((dim) => typeof dim === 'number' && !(Number.isInteger(dim) && dim > 0));
  if (bad !== undefined) {
    throw new OpProblem('RELC1004', `extent ${bad} of ${printType(type)} is not a positive integer`);
  }
  if (type.shape.slice(1).some((dim) => typeof dim === 'string')) {
    throw new OpProblem(
      'RELC1007',
      `the batch would move to an axis other than 0: ${printShape(type.shape)}`,
      'keep the batch in front, or trace with batch: null to explain the whole input as one sample',
    );
  }
}

/**
 * The type of a node's result.
 * @throws RelcError RELC1002..RELC1007, naming the node and its place
 */
export function inferType(
  dialect: Dialect,
  draft: Draft,
  typeOf: (name: Name) => TensorType | undefined,
  declared: TensorType | undefined,
): TensorType {
  return blaming(draft, () => {
    const definition = definitionOf(dialect, draft.op);
    checkOperandCount(definition, draft.args.length);
    checkAttrs(definition.attrs ?? {}, draft.attrs);
    const types = draft.args.map((arg) => {
      const type = typeOf(arg);
      if (type === undefined)
        throw new OpProblem('RELC1006', `operand %${arg} is not defined before its use`);
      return type;
    });
    const type = definition.infer(types, draft.attrs, declared);
    checkShape(type);
    return type;
  });
}
