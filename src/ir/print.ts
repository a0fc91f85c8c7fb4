// The text of graphs: one node a line, attributes sorted, places on demand.
import { type Attr, type Graph, type Node, printLoc } from './graph.js';
import { printType } from './type.js';

const outputKeyPattern = /^[A-Za-z_][A-Za-z0-9_.:/-]*$/;

export interface PrintOptions {
  /** Append `// layer at file:line` to each node. */
  readonly locs?: boolean;
  /** A remark on a node, `word: text`, appended as `// word: text`; the parser skips it. */
  readonly note?: (node: Node) => string | undefined;
}

function printAttr(attr: Attr): string {
  return JSON.stringify(attr);
}

/** `%h = relu(%z1) : f32[N,4]` */
export function printNode(node: Node, options: PrintOptions = {}): string {
  const args = node.args.map((arg) => `%${arg}`).join(', ');
  const names = Object.keys(node.attrs).sort();
  const attrs = names.map((name) => `${name}=${printAttr(node.attrs[name]!)}`).join(', ');
  const remarks = [options.locs ? printLoc(node.loc) : '', options.note?.(node) ?? ''];
  const body = attrs === '' ? '' : ` {${attrs}}`;
  const trail = remarks.map((remark) => (remark === '' ? '' : `  // ${remark}`)).join('');
  return `%${node.name} = ${node.op}(${args})${body} : ${printType(node.type)}${trail}`;
}

/** A key that is no plain word is quoted: users may call outputs what they like. */
function printOutput([key, name]: [string, string]): string {
  if (key === name) return `%${name}`;
  return `${outputKeyPattern.test(key) ? key : JSON.stringify(key)}=%${name}`;
}

/** The whole graph; `parse(print(g))` gives it back (places too, where they are printed). */
export function print(graph: Graph, options: PrintOptions = {}): string {
  const lines = [`graph @${graph.name} {`];
  for (const node of graph.nodes.values()) lines.push(`  ${printNode(node, options)}`);
  for (const [alias, target] of graph.aliases) lines.push(`  alias %${alias} = %${target}`);
  lines.push(`  return ${Object.entries(graph.outputs).map(printOutput).join(', ')}`.trimEnd(), '}', '');
  return lines.join('\n');
}
