// Real models from disk: loaded without tfjs-node, traced, and compared with their own predictions.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { leftConstants } from '../../src/ir/analyses/left-constants.js';
import { forward } from '../../src/ir/forward.js';
import { nodesWithOp } from '../../src/ir/graph.js';
import { canonicalize } from '../../src/ir/passes/canonicalize/canonicalize.js';
import { runPasses } from '../../src/ir/passes/pass.js';
import { traceGraphModel } from '../../src/trace/graph-model.js';
import { traceLayersModel } from '../../src/trace/layers-model.js';
import { isGraphModel, isLayersModel, loadModel } from '../../src/trace/load.js';
import { expectOwnValues, leavesTensorflowAlone, startTensorflow } from './support.js';

const folder = fileURLToPath(new URL('../../../shared/models/', import.meta.url));
const digits = join(folder, 'tfjs-layersmodel-digits_recognition_cnn/model.json');
const flowers = join(folder, 'tfjs-graphmodel-automl-flowers/model.json');

beforeAll(startTensorflow);

describe.skipIf(!existsSync(digits))('the digits model (skipped without ../shared/models)', () => {
  it('computes what it predicts', async () => {
    const model = await loadModel(digits);
    if (!isLayersModel(model)) throw new Error('the digits model is no layers model');
    const program = leavesTensorflowAlone(() => traceLayersModel(model, {}));
    expect(Object.keys(program.graph.outputs)).toEqual(['dense_4']);
    expect([...program.weights.keys()]).toEqual(expect.arrayContaining(['conv2d_4/kernel', 'dense_4/bias']));
    expectOwnValues(program, (inputs) => ({
      dense_4: model.predict(Object.values(inputs)) as tf.Tensor,
    }));
    model.dispose();
  });
});

describe.skipIf(!existsSync(flowers))('the flowers model (skipped without ../shared/models)', () => {
  it('computes what it predicts, with its constants sunk into its convolutions', async () => {
    const model = await loadModel(flowers);
    if (!isGraphModel(model)) throw new Error('the flowers model is no graph model');
    const program = leavesTensorflowAlone(() => traceGraphModel(model, {}));
    const predict = (inputs: tf.NamedTensorMap) => ({ scores: model.execute(inputs) as tf.Tensor });
    expectOwnValues(program, predict, { batches: [1] });
    const { graph } = runPasses(program, [canonicalize], forward);
    expect(nodesWithOp(graph, 'conv').filter((node) => node.args.length === 2)).toEqual([]);
    expect(leftConstants(program.graph)).toHaveLength(70);
    expect(leftConstants(graph)).toEqual([]);
    model.dispose();
  });
});
