// A graph as graphlib sees it: for analysis, layout and export, never for execution.
import { Graph as Graphlib } from '@dagrejs/graphlib';
import type { Graph, Node } from './graph.js';

/**
 * A directed compound multigraph: a node for each value, labelled with it; an edge for each operand slot, named by
 * the slot's number; layers as parents, nested by the parts of their path.
 */
export function toGraphlib(graph: Graph): Graphlib {
  const view = new Graphlib({ directed: true, multigraph: true, compound: true });
  view.setGraph(graph.name);
  for (const node of graph.nodes.values()) {
    view.setNode(node.name, node);
    placeInLayer(view, node);
    for (const [slot, arg] of node.args.entries()) view.setEdge(arg, node.name, slot, String(slot));
  }
  return view;
}

/** Layers are nodes called `layer path`, without a label of their own; no value's name has a blank. */
function placeInLayer(view: Graphlib, node: Node): void {
  if (node.loc.layer === undefined) return;
  const parts = node.loc.layer.split('/');
  let child = node.name;
  for (let depth = parts.length; depth > 0; depth--) {
    const layer = `layer ${parts.slice(0, depth).join('/')}`;
    const known = view.hasNode(layer);
    if (!known) view.setNode(layer, undefined);
    view.setParent(child, layer);
    if (known) return;
    child = layer;
  }
}
