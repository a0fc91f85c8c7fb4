// The conservation report: what arrives at each node, what leaves it, and where the rest went, cause by cause.
import type { Loc, Name } from '../ir/graph.js';
import type { Cause } from '../rules/cause-names.js';
import type { Seed } from '../rules/presets.js';

/** Amounts by cause: what is positive was lost, what is negative was added. */
export type Leaks = Readonly<Partial<Record<Cause, number>>>;

/** The balance of the rule on one node. */
export interface NodeBalance {
  /** The ruled value. */
  readonly name: Name;
  readonly op: string;
  readonly rule: string;
  readonly loc: Loc;
  /** ΣR at the value. */
  readonly arriving: number;
  /** ΣR that its operands receive together. */
  readonly leaving: number;
  /** Σ|R| at the value. */
  readonly mass: number;
  readonly leaks: Leaks;
  /** Whether the rule states what it loses on this op; if not, all that is lost is unexplained. */
  readonly hasFormula: boolean;
  /** arriving − leaving − Σ leaks. */
  readonly unexplained: number;
  /** Whether that is rounding. */
  readonly ok: boolean;
}

/** What arrives at a value that is explained. */
export interface ArrivedAmount {
  /** What it was asked for as: an input, a value, a layer. */
  readonly asked: string;
  readonly value: Name;
  readonly amount: number;
  /** False where relevance goes on from there to another explained value. */
  readonly ends: boolean;
}

/** How near the compiled explainer's relevance is to the account's, as shares of max|R|. */
export interface Agreement {
  /** The largest difference from relevance in f64. */
  readonly difference: number;
  /** What rounding in f32 alone makes of it, by the reference evaluator; left out below a thousandth. */
  readonly rounding?: number;
  /** Whether the difference is below a thousandth, or at most ten times that. */
  readonly ok: boolean;
}

export interface ConservationReport {
  /** The preset's name. */
  readonly rules: string;
  readonly seed: Seed;
  /** The class explained. */
  readonly target: number;
  /** What amounts are: relevance, or for gradients value × gradient. */
  readonly accountedAs: 'relevance' | 'value × gradient';
  /** What relevance starts with, and what that is: `f(x)`. */
  readonly start: number;
  readonly unit: string;
  readonly arrived: readonly ArrivedAmount[];
  /** From the output to the inputs. */
  readonly nodes: readonly NodeBalance[];
  /** Totals by cause. */
  readonly causes: Leaks;
  /** Σ|unexplained| over all nodes. */
  readonly unexplained: number;
  /** The node where it is largest; undefined where there is none at all. */
  readonly worst: Name | undefined;
  /** Whether all that is unexplained is rounding, and every number is one. */
  readonly ok: boolean;
  /** All of it in one line. */
  readonly verdict: string;
  readonly agreement: Agreement;
  /** Products, sums and batch normalizations with constants that no affine op took: rules see ops of their own. */
  readonly leftConstants: readonly Name[];
}
