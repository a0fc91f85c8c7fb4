// Dead code: values that no output needs are dropped; inputs stay, for they are the graph's signature.
import { type Graph, type Name, straightAliases } from '../graph.js';
import { graphPass } from './pass.js';

function neededBy(graph: Graph): ReadonlySet<Name> {
  const needed = new Set(Object.values(graph.outputs));
  for (const node of [...graph.nodes.values()].reverse()) {
    if (needed.has(node.name)) for (const arg of node.args) needed.add(arg);
  }
  return needed;
}

export function removeDeadCode(graph: Graph): Graph {
  const needed = neededBy(graph);
  const nodes = new Map([...graph.nodes].filter(([name, node]) => needed.has(name) || node.op === 'input'));
  return { ...graph, nodes, aliases: straightAliases({ nodes, aliases: graph.aliases }) };
}

export const deadCode = graphPass('dead-code', 'drop what no output needs', removeDeadCode);
