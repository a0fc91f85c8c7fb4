// Sinking: channel maps move into the affine ops before them, wherever that is exact.
import { Arithmetic } from '../../arithmetic.js';
import { numberOf } from '../../dialect.js';
import type { Name, Node } from '../../graph.js';
import type { Rewriter } from '../rewrite.js';
import { argsOf, foldAtResult, isAffine, operandsOf, takenAtResult } from './affine.js';
import { type ChannelMap, isUniform, placed, withVectors } from './channels.js';
import type { Passage } from './passage.js';

/** What is known of the values of the new graph; kept up to date. */
export interface Values {
  /** How many uses each has, outputs counted. */
  readonly uses: Map<Name, number>;
  /** Those that depend on an input. */
  readonly active: Set<Name>;
}

/** A value that a map moves into, and the steps for the operands that it moves on to: none at an affine op. */
interface Step {
  readonly node: Node;
  readonly map: ChannelMap;
  readonly below: ReadonlyMap<number, Step>;
}

/** What becomes of a map at a node's operands: it goes into all of them, or into the first that takes it. */
interface Ways {
  readonly into: 'all' | 'first';
  readonly operands: readonly { readonly slot: number; readonly map: ChannelMap }[];
}

/** A value under search: the steps found so far, and which operand comes next. */
interface Frame extends Ways {
  readonly node: Node;
  readonly map: ChannelMap;
  readonly below: Map<number, Step>;
  next: number;
}

/** Moves channel maps into the values they are applied to, while a graph is being rewritten. */
export class Sinker {
  private readonly k: Arithmetic;
  /** The values searched in vain, by kind of map: so each is searched once. */
  private readonly deadEnds = new Map<string, Set<Name>>();
  private dependsOnSign = false;

  constructor(
    private readonly rewriter: Rewriter,
    private readonly values: Values,
    private readonly passage: Passage,
  ) {
    this.k = new Arithmetic(rewriter.builder);
  }

  /**
   * The value that equals `value` followed by the map, in the stead of the node `name` that applies it; undefined where
   * nothing can take the map.
   */
  sink(value: Name, map: ChannelMap, name: Name): Name | undefined {
    const route = this.routeFrom(value, map);
    if (route === undefined) return undefined;
    const uses = this.values.uses.get(name) ?? 0;
    const steps = [route];
    for (const step of steps) steps.push(...[...step.below.values()].reverse());
    const moved = new Map<Name, Name>();
    for (const step of steps.reverse()) {
      const old = step.node.name;
      const result = this.moveInto(step, moved, step === route ? name : successor(old, step.map));
      this.rewriter.builder.alias(old, result);
      this.values.uses.set(result, step === route ? uses : 1);
      this.values.active.add(result);
      moved.set(old, result);
    }
    return moved.get(value);
  }

  /** The way to the affine ops that take the map. Without recursion: graphs are thousands of sums deep. */
  private routeFrom(value: Name, map: ChannelMap): Step | undefined {
    this.dependsOnSign = false;
    const pending: Frame[] = [];
    let found = this.enter(value, map, pending);
    for (let frame = pending.at(-1); frame !== undefined; frame = pending.at(-1)) {
      const operand = frame.operands[frame.next];
      if (operand === undefined) {
        found = this.leave(frame);
        pending.pop();
      } else {
        found = this.enter(frame.node.args[operand.slot]!, operand.map, pending);
      }
      const user = pending.at(-1);
      if (user !== undefined && found !== 'open') note(user, found);
    }
    return found === 'open' ? undefined : found;
  }

  /** The step of an affine op, undefined where the map cannot go, or 'open' with the value's frame pending. */
  private enter(value: Name, map: ChannelMap, pending: Frame[]): Step | undefined | 'open' {
    // All on the way have one use: nothing else reads what changes.
    if (this.values.uses.get(value) !== 1 || !this.values.active.has(value)) return undefined;
    if (this.deadEndsOf(map).has(value)) return undefined;
    const node = this.rewriter.builder.node(value);
    if (isAffine(node) && !this.values.active.has(node.args[1]!)) {
      const taken = takenAtResult(this.k, node, map);
      return taken && { node, map: taken, below: new Map() };
    }
    pending.push({ node, map, ...this.waysFrom(node, map), below: new Map(), next: 0 });
    return 'open';
  }

  /** The step of a value whose operands have been searched, if they can take the map. */
  private leave({ node, map, into, operands, below }: Frame): Step | undefined {
    if (below.size > 0 && (into === 'first' || below.size === operands.length)) return { node, map, below };
    // A scale of another sign may find a way past a maximum.
    this.dependsOnSign ||= node.op === 'max_pool' && map.scale !== undefined;
    if (!this.dependsOnSign) this.deadEndsOf(map).add(node.name);
    return undefined;
  }

  private deadEndsOf(map: ChannelMap): Set<Name> {
    const parts = [map.scale && 'scale', map.offset && 'offset', isUniform(this.k.builder, map) && 'uniform'];
    const kind = `${parts} ${map.axis}`;
    const known = this.deadEnds.get(kind) ?? new Set();
    this.deadEnds.set(kind, known);
    return known;
  }

  private waysFrom(node: Node, map: ChannelMap): Ways {
    if (node.op === 'add') return acrossSum(map);
    if (node.op === 'concat') return this.acrossConcat(node, map);
    const passed = this.passage.admits(node) ? this.passage.back(node, map) : undefined;
    return { into: 'all', operands: passed === undefined ? [] : [{ slot: 0, map: passed }] };
  }

  /** Each operand takes its part of the vectors; all of it where they lie along another axis. */
  private acrossConcat(node: Node, map: ChannelMap): Ways {
    const { builder } = this.rewriter;
    const joined = numberOf(node.attrs, 'axis');
    let start = 0;
    const operands = node.args.flatMap((arg, slot) => {
      const { shape } = builder.typeOf(arg);
      if (joined !== map.axis) {
        const whole = placed(this.k, map, shape, map.axis, undefined);
        return whole === undefined ? [] : [{ slot, map: whole }];
      }
      const type = { dtype: 'f32' as const, shape: [shape[joined]!] };
      const attrs = { begin: [start] };
      start += shape[joined] as number;
      return [{ slot, map: withVectors(map, (vector) => builder.add('slice', [vector], { attrs, type })) }];
    });
    return { into: 'all', operands };
  }

  private moveInto({ node, map, below }: Step, moved: ReadonlyMap<Name, Name>, name: Name): Name {
    const { loc, type } = node;
    const isEnd = below.size === 0;
    const args = isEnd
      ? argsOf(foldAtResult(this.k, node, map, operandsOf(node), name))
      : node.args.map((arg, slot) => (below.has(slot) ? moved.get(arg)! : arg));
    const attrs = isEnd ? node.attrs : this.passage.attrsBehind(node, map);
    return this.rewriter.builder.add(node.op, args, { name, loc, attrs, type });
  }
}

/** (a + b)·scale + offset = (a·scale + offset) + b·scale; an offset alone goes into the first operand that takes it. */
function acrossSum(map: ChannelMap): Ways {
  const { axis, scale } = map;
  if (scale === undefined) return { into: 'first', operands: [0, 1].map((slot) => ({ slot, map })) };
  const second = { slot: 1, map: { axis, scale } };
  return { into: 'all', operands: [{ slot: 0, map }, second] };
}

/** Notes what became of a frame's next operand: no more are searched once it is decided. */
function note(frame: Frame, found: Step | undefined): void {
  const { into, operands, next } = frame;
  if (found !== undefined) frame.below.set(operands[next]!.slot, found);
  const isDecided = (found === undefined) === (into === 'all');
  frame.next = isDecided ? operands.length : next + 1;
}

/** The name of an operand once the map is in it: a name never denotes two values. */
function successor(operand: Name, map: ChannelMap): Name {
  const base = operand.replace(/\.(biased|scaled)(_\d+)?$/, '');
  return `${base}.${map.scale === undefined ? 'biased' : 'scaled'}`;
}
