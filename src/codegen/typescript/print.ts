// Printing expressions as TypeScript.
import { attrNumber } from '../../ir/dialect.js';
import type { Attr, Name } from '../../ir/graph.js';
import type { Expression } from '../../ir/spelling.js';
import { batchMultiple, type Dim } from '../../ir/type.js';

const reserved = new Set(
  'break case catch class const continue debugger default delete do else enum export extends false finally for function if implements import in instanceof interface let new null package private protected public return static super switch this throw true try typeof var void while with yield await async tf rt batch target against relevance constants weights inputs arguments eval undefined NaN Infinity Number'.split(
    ' ',
  ),
);

/** Value names as identifiers: `r.h.z2` is `r_h_z2`, `conv1/relu` is `conv1_relu`; one identifier for each name. */
export class Identifiers {
  private readonly known = new Map<Name, string>();
  private readonly taken = new Set<string>(reserved);

  of(name: Name): string {
    const known = this.known.get(name);
    if (known !== undefined) return known;
    const plain = name.replace(/[^A-Za-z0-9_]+/g, '_');
    const base = /^[0-9]/.test(plain) ? `_${plain}` : plain;
    let identifier = base;
    for (let count = 1; this.taken.has(identifier); count++) identifier = `${base}_${count}`;
    this.taken.add(identifier);
    this.known.set(name, identifier);
    return identifier;
  }
}

function printDim(dim: Dim): string {
  const multiple = batchMultiple(dim);
  if (multiple === undefined) return String(dim);
  return multiple === 1 ? 'batch' : `${multiple} * batch`;
}

/** A string between single quotes. */
export function literalText(text: string): string {
  return `'${JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`;
}

function printLiteral(attr: Attr): string {
  if (Array.isArray(attr)) return `[${attr.map(printLiteral).join(', ')}]`;
  const number = typeof attr === 'string' ? attrNumber(attr) : undefined;
  if (number !== undefined)
    return Number.isNaN(number) ? 'Number.NaN' : number > 0 ? 'Infinity' : '-Infinity';
  return typeof attr === 'string' ? literalText(attr) : String(attr);
}

/** `tf.mul(h, s_a)` */
export function printExpression(expression: Expression, identifiers: Identifiers): string {
  const inner = (part: Expression) => printExpression(part, identifiers);
  switch (expression.kind) {
    case 'value':
      return identifiers.of(expression.name);
    case 'literal':
      return printLiteral(expression.value);
    case 'shape':
      return `[${expression.shape.map(printDim).join(', ')}]`;
    case 'list':
      return `[${expression.items.map(inner).join(', ')}]`;
    case 'call':
      return `${expression.callee}(${expression.args.map(inner).join(', ')})`;
  }
}
