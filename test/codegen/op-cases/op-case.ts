// One op in one configuration: what targets are tried on.
import { type Drawn, graphOf, type Sources } from '../support.js';

export interface OpCase {
  readonly name: string;
  readonly drawn: Drawn;
  /** The op that it tries: that of %z. */
  readonly op: string;
}

/** @param lines  the last one is the right side of %z */
export function opCase(name: string, sources: Sources, ...lines: readonly string[]): OpCase {
  const texts = lines.map((line, index) => (index === lines.length - 1 ? `%z = ${line}` : line));
  const drawn = graphOf(sources, ...texts);
  return { name, drawn, op: drawn.graph.nodes.get('z')!.op };
}

/** One input of both signs. */
export const x = (type: string): Sources => ({ x: `in ${type}` });
