// Naming: once a model is traced, values take the names of the layers that computed them.
import { activeValues, type Graph, type Name, type Node, userName } from '../ir/graph.js';

/** The layer's name where it computed one value; `layer/op` for each where it computed several. */
function wantedName(node: Node, valuesInLayer: ReadonlyMap<string, number>): Name {
  const { layer } = node.loc;
  if (layer === undefined) return node.name;
  const path = userName(layer);
  return valuesInLayer.get(layer) === 1 ? path : `${path}/${node.op}`;
}

function unique(base: Name, taken: ReadonlySet<Name>): Name {
  let name = base;
  for (let count = 1; taken.has(name); count++) name = `${base}_${count}`;
  return name;
}

/** The same graph with the values of each layer named after it; constants keep their names. */
export function nameByLayers(graph: Graph): Graph {
  const nodes = [...graph.nodes.values()];
  const active = activeValues(graph);
  const computed = nodes.filter((node) => active.has(node.name) && node.op !== 'input');
  const valuesInLayer = new Map<string, number>();
  for (const { layer } of computed.map((node) => node.loc)) {
    if (layer !== undefined) valuesInLayer.set(layer, (valuesInLayer.get(layer) ?? 0) + 1);
  }
  const names = new Map<Name, Name>();
  const isComputed = new Set(computed);
  const taken = new Set(nodes.filter((node) => !isComputed.has(node)).map((node) => node.name));
  const lastOf = new Map<Name, Name>();
  for (const node of computed) {
    const name = unique(wantedName(node, valuesInLayer), taken);
    taken.add(name);
    names.set(node.name, name);
    if (node.loc.layer !== undefined) lastOf.set(userName(node.loc.layer), name);
  }
  const renamed = (name: Name) => names.get(name) ?? name;
  return {
    ...graph,
    nodes: new Map(
      nodes.map((node) => [
        renamed(node.name),
        { ...node, name: renamed(node.name), args: node.args.map(renamed) },
      ]),
    ),
    outputs: Object.fromEntries(Object.entries(graph.outputs).map(([key, name]) => [key, renamed(name)])),
    // What a user means by the name of a layer that computed several values is the last of them.
    aliases: new Map([...lastOf].filter(([layer]) => !taken.has(layer))),
  };
}
