// What is cropped: the box of each value that is read and can be other than zero.
import { type Box, common, hull, isEmpty, wholeBox } from '../../box.js';
import type { Dialect } from '../../dialect.js';
import { type Graph, type Name, type Node, nodeOf } from '../../graph.js';
import { accumulation, arithmeticRules, elementwise } from './arithmetic.js';
import { movementRules } from './movement.js';
import type { CropRule, Site } from './rule.js';

/** A value that is computed: in which box, and from which boxes of its operands. */
export interface Planned extends Site {
  readonly rule: CropRule;
  readonly box: Box;
  readonly reads: readonly (Box | undefined)[];
}

/** Ops that are computed whole or not at all: inputs, weights, convolutions, pools. */
const whole: CropRule = { reads: ({ types }) => types.map(({ shape }) => wholeBox(shape)) };

function rulesOf(dialect: Dialect): Readonly<Record<string, CropRule>> {
  const plain = elementwise(dialect);
  const ofElements = Object.entries(dialect).filter(([, { traits }]) => traits?.elementwise);
  return {
    ...Object.fromEntries(ofElements.map(([op]) => [op, plain])),
    ...{ ...movementRules, ...arithmeticRules },
    ...{ cast: plain, accumulate: accumulation(dialect) },
  };
}

class Planner {
  private readonly supports = new Map<Name, Box>();
  private readonly demands = new Map<Name, Box>();
  private readonly rules: Readonly<Record<string, CropRule>>;

  constructor(
    private readonly graph: Graph,
    dialect: Dialect,
  ) {
    this.rules = rulesOf(dialect);
  }

  private ruleOf({ op }: Node): CropRule {
    return Object.hasOwn(this.rules, op) ? this.rules[op]! : whole;
  }

  private siteOf(node: Node): Site {
    return { node, types: node.args.map((arg) => nodeOf(this.graph, arg).type) };
  }

  private supportsOf = ({ args }: Node): Box[] => args.map((arg) => this.supports.get(arg)!);

  /** Forwards: where a value can be other than zero follows from where its operands can. */
  findSupports(): void {
    for (const node of this.graph.nodes.values()) {
      const { support } = this.ruleOf(node);
      const known =
        node.type.dtype === 'f32' ? support?.(this.siteOf(node), this.supportsOf(node)) : undefined;
      this.supports.set(node.name, known ?? wholeBox(node.type.shape));
    }
  }

  private demand(value: Name, box: Box): void {
    const known = this.demands.get(value);
    this.demands.set(value, known === undefined ? box : hull(known, box));
  }

  private plan(node: Node, demand: Box): Planned | undefined {
    const needed = common(demand, this.supports.get(node.name)!);
    if (isEmpty(needed)) return undefined;
    const rule = this.ruleOf(node);
    const site = this.siteOf(node);
    const box = rule === whole ? wholeBox(node.type.shape) : (rule.widened?.(site, needed) ?? needed);
    return { ...site, rule, box, reads: rule.reads(site, box, this.supportsOf(node)) };
  }

  /** Backwards: what is read of a value follows from what is computed of its users. */
  plans(): ReadonlyMap<Name, Planned> {
    const plans = new Map<Name, Planned>();
    for (const name of Object.values(this.graph.outputs)) {
      this.demand(name, wholeBox(nodeOf(this.graph, name).type.shape));
    }
    for (const node of [...this.graph.nodes.values()].reverse()) {
      const demand = this.demands.get(node.name);
      const planned = demand && this.plan(node, demand);
      if (planned === undefined) continue;
      plans.set(node.name, planned);
      for (const [slot, read] of planned.reads.entries()) {
        if (read !== undefined) this.demand(node.args[slot]!, read);
      }
    }
    return plans;
  }
}

/** The values to compute; one that is missing is read nowhere, or only where it is zero. */
export function planCrop(graph: Graph, dialect: Dialect): ReadonlyMap<Name, Planned> {
  const planner = new Planner(graph, dialect);
  planner.findSupports();
  return planner.plans();
}
