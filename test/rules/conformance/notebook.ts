// The notebook's relevance layers as suites: quotients and layers in f32, dense layers in f64.
import type { TensorData } from '../../../src/ir/tensor.js';
import { denseCases, notebook, printedDense } from '../../fixtures/notebook.js';
import { cell244, denseRelevance, quotientOf, relpropOf, relprops, title } from '../notebook-layers.js';
import { relativeError } from '../support.js';
import { type Comparison, type Suite, toleranceFor } from './suite.js';

function compared(at: string, ours: ArrayLike<number>, recorded: ArrayLike<number>): Comparison {
  return { at, error: relativeError(ours, recorded), tolerance: toleranceFor() };
}

/** Quotients that are infinite must be so here. */
function comparedQuotient(row: readonly [string, string, string]): Comparison {
  const { ours, recorded } = quotientOf(row);
  return ours === recorded ? compared('quotient', [0], [0]) : compared('quotient', [ours], [recorded]);
}

const quotients: Suite = {
  peer: 'the notebook',
  name: 'safe_divide',
  precision: 'f32',
  different: [],
  runs: notebook.safe_divide.rows.map((row) => ({
    id: `${row[0]} / ${row[1]}`,
    compare: () => [comparedQuotient(row)],
  })),
};

const layers: Suite = {
  peer: 'the notebook',
  name: 'MatMul, Add, IndexSelect, Clone',
  precision: 'f32',
  different: ['beyond the notebook: Clone.relprop(3, zero at 0)'],
  runs: relprops.map((op) => ({
    id: title(op),
    compare() {
      const found: Record<string, TensorData> = relpropOf(op);
      return op.outputs.map(({ data }, i) => compared(`x${i}`, found[`x${i}`]!.data, data));
    },
  })),
};

const dense: Suite = {
  peer: 'the notebook',
  name: 'Dense',
  precision: 'f64',
  different: [],
  runs: [
    {
      id: 'cell 244',
      compare: () => [compared('x', denseRelevance(cell244, 'f64').data, printedDense.printed)],
    },
    ...denseCases.map((recorded) => ({
      id: recorded.what,
      compare: () => [compared('x', denseRelevance(recorded, 'f64').data, recorded.out_f64.data)],
    })),
  ],
};

export const notebookSuites: readonly Suite[] = [quotients, layers, dense];
