// A tour of relc in one program: six steps, each asserted and printed. Read it from top to bottom, or run `npm run tour`.
//
//   1  the graph      one small network, built, printed, and parsed back
//   2  ops            four of them: shape, value, derivative, all from one entry of one table
//   3  the loop       how relevance goes backwards, and where it is summed
//   4  a rule         the ε-rule twice: as a formula, and as graph ops
//   5  a law          nothing is lost, but for what can be named
//   6  code           what is run in the end
//
// The network has two layers and one value that is used twice:
//
//   h = relu(x·W₁ + b₁)         y = h + (h·W₂ + b₂)
//
// Its numbers are chosen so that every step can be done by hand.
import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs';
import { compile } from '../src/api/compile.js';
import { emit } from '../src/api/emit.js';
import { dialect } from '../src/api/pipeline.js';
import { GraphBuilder } from '../src/ir/builder.js';
import { evaluate, evaluateAll, type Inputs } from '../src/ir/evaluate.js';
import { forward } from '../src/ir/forward.js';
import { type Attrs, type Graph, type Name, nodeOf } from '../src/ir/graph.js';
import { parse } from '../src/ir/parse.js';
import { print, printNode } from '../src/ir/print.js';
import type { TensorData, Weights } from '../src/ir/tensor.js';
import type { Shape } from '../src/ir/type.js';
import { addAccount } from '../src/rules/account.js';
import { expandRules } from '../src/rules/expand.js';
import { presetNamed } from '../src/rules/presets.js';
import { relevance } from '../src/rules/relevance.js';

const heading = (text: string) => console.log(`\n\n${text}\n${'='.repeat(text.length)}\n`);
const say = (text: string) => console.log(text);

/** Dense data in 64 bits: the reference evaluator's exact mode. */
const data = (shape: readonly number[], values: readonly number[]): TensorData => ({
  dtype: 'f32',
  shape,
  data: Float64Array.from(values),
});

const numbers = ({ data: values }: TensorData) => Array.from(values);
const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
const short = (value: number) => Number(value.toFixed(4));
const shown = (values: readonly number[]) => `[${values.map(short).join(', ')}]`;

/** Equal up to `tolerance`: 1e-5 where an ε = 1e-6 is part of the formula. */
function close(got: readonly number[], wanted: readonly number[], tolerance = 1e-5): void {
  assert.equal(got.length, wanted.length);
  for (const [index, value] of got.entries()) {
    assert.ok(Math.abs(value - wanted[index]!) <= tolerance, `${shown(got)} is not ${shown(wanted)}`);
  }
}

const f32 = (...shape: Shape) => ({ dtype: 'f32', shape }) as const;

// ---------------------------------------------------------------------------------------------------------------------
heading('1  The graph');

// A graph is a list of nodes in execution order. In text, one node a line:
//
//   graph ::= 'graph' '@'name '{' node* 'return' output, … '}'
//   node  ::= '%'name '=' op '(' '%'name, … ')' [ '{' key=json, … '}' ] ':' type
//   type  ::= dtype '[' dim, … ']'              N is the batch, any number of samples
//
// A name denotes one value for ever. Nothing broadcasts implicitly. Weights stand beside the graph, found by key. A layer
// is an `einsum` with its bias: bi,ij->bj is x·W, summed over i. The builder infers and checks every type as it goes.

function buildBlock(): Graph {
  const builder = new GraphBuilder('block', forward);
  const x = builder.add('input', [], { name: 'x', type: f32('N', 2) });
  const weight = (name: Name, ...shape: Shape) =>
    builder.add('param', [], { name, attrs: { key: name }, type: f32(...shape) });
  const layer = (name: Name, from: Name, index: number) =>
    builder.add('einsum', [from, weight(`w${index}`, 2, 2), weight(`b${index}`, 2)], {
      name,
      attrs: { eq: 'bi,ij->bj' },
    });
  const h = builder.add('relu', [layer('z1', x, 1)], { name: 'h' });
  const y = builder.add('add', [h, layer('z2', h, 2)], { name: 'y' });
  return builder.finish({ y });
}

const block = buildBlock();
const text = print(block);
say(text.trimEnd());

// The text is the graph: it parses back to the same text. Dumps, test cases and bug reports are written in it.
assert.equal(print(parse(text, forward)), text);

// z₁ = [1·1 + 2·3 + 0, 1·(−2) + 2·0.5 + 2] = [7, 1]      h = [7, 1]
// z₂ = [7·1 + 1·2, 7·1 + 1·(−1)] = [9, 6]                y = h + z₂ = [16, 7]
const weights: Weights = new Map([
  ['w1', data([2, 2], [1, -2, 3, 0.5])],
  ['b1', data([2], [0, 2])],
  ['w2', data([2, 2], [1, 1, 2, -1])],
  ['b2', data([2], [0, 0])],
]);
const x = data([1, 2], [1, 2]);
const y = numbers(evaluate(block, forward, { x }, weights).y!);
close(y, [16, 7], 0);
say(`\nx = [1, 2] gives y = ${shown(y)}`);

// ---------------------------------------------------------------------------------------------------------------------
heading('2  Four ops');

// All that is known of an op stands in one entry of the table `forward`. Three of its functions are asked here:
//
//   infer     operand types → the result's type       (also asked by tracer, parser and verifier)
//   evaluate  operand values → the result             (slow and plain: the judge of everything else)
//   vjp       adds nodes for gᵀ · ∂z/∂xᵢ               (derivatives are graphs too)
//
// A vjp is tested as one tests any derivative: by central differences of ⟨g, f⟩ with respect to each element,
//   (⟨g, f(x + δe)⟩ − ⟨g, f(x − δe)⟩) / 2δ.

/** An op on inputs a, b, … and, as a second output, its vjp for operand 0 with the cotangent g. */
function withDerivative(op: keyof typeof forward, shapes: readonly Shape[], attrs: Attrs): Graph {
  const builder = new GraphBuilder(op, forward);
  const args = shapes.map((shape, slot) =>
    builder.add('input', [], { name: 'abc'[slot]!, type: f32(...shape) }),
  );
  const z = builder.add(op, args, { name: 'z', attrs });
  const g = builder.add('input', [], { name: 'g', type: builder.typeOf(z) });
  const derivative = forward[op].vjp!({ builder, node: builder.node(z), operand: 0, cotangent: g });
  return builder.finish({ z, derivative });
}

/** ∂⟨g, z⟩/∂a by central differences. */
function differences(graph: Graph, inputs: Inputs): number[] {
  const delta = 1e-5;
  const a = inputs.a!;
  const along = (index: number, step: number) => {
    const moved = numbers(a).map((value, at) => (at === index ? value + step : value));
    const z = evaluate(graph, forward, { ...inputs, a: data(a.shape, moved) }, new Map()).z!;
    return sum(numbers(z).map((value, at) => value * inputs.g!.data[at]!));
  };
  return numbers(a).map((_, index) => (along(index, delta) - along(index, -delta)) / (2 * delta));
}

function tryOp(
  op: keyof typeof forward,
  operands: readonly TensorData[],
  g: TensorData,
  wanted: readonly number[],
  attrs: Attrs = {},
): void {
  const graph = withDerivative(
    op,
    operands.map(({ shape }) => shape),
    attrs,
  );
  const inputs = { ...Object.fromEntries(operands.map((value, slot) => ['abc'[slot]!, value])), g };
  const { z, derivative } = evaluate(graph, forward, inputs, new Map());
  close(numbers(z!), wanted, 0);
  close(numbers(derivative!), differences(graph, inputs), 1e-8);
  say(`${op}: ${forward[op].summary}`);
  const lines = [...graph.nodes.values()].filter((node) => node.op !== 'input' && node.op !== 'constant');
  for (const node of lines) say(`  ${printNode(node)}`);
  say(`  z = ${shown(numbers(z!))}, gᵀ·∂z/∂a = ${shown(numbers(derivative!))}\n`);
}

// A layer, [1, 2]·W₁. Its derivative g·W₁ᵀ is the same op with another equation: a transpose of an einsum is an einsum.
tryOp('einsum', [x, weights.get('w1')!], data([1, 2], [1, 1]), [7, -1], { eq: 'bi,ij->bj' });

// relu: g where a > 0. This is the gradient's rule; relevance will pass a relu as if it were not there.
tryOp('relu', [data([1, 2], [7, -1])], data([1, 2], [3, 3]), [7, 0]);

// A product of two values: g ⊙ b.
tryOp('mul', [x, data([1, 2], [5, -3])], data([1, 2], [1, 1]), [5, -6]);

// concat only moves elements: its derivative cuts a's part out of g. Such ops are marked `routes`.
tryOp('concat', [x, data([1, 1], [9])], data([1, 3], [4, 5, 6]), [1, 2, 9], { axis: 1 });
assert.equal(forward.concat.traits?.routes, true);

// The shape rule refuses what does not fit, and says where, what it got, and what it wanted: here W₁ has a row too many.
const misfit = (): Graph =>
  parse(text.replace('%w1 = param() {key="w1"} : f32[2,2]', '%w1 = param() {key="w1"} : f32[3,2]'), forward);
assert.throws(misfit, (error: Error) => {
  say(error.message);
  return /operand 1 is f32\[3,2\], expected/.test(error.message);
});

// ---------------------------------------------------------------------------------------------------------------------
heading('3  The backward loop');

// Relevance starts at an output as R and goes back to the inputs. For every node, from the last to the first:
//
//   R of its value = Σ of what came back from its users        one `accumulate`, where there are several
//   a composite chooses its rule                               the first line that matches
//   the rule divides R among the operands                      one line for each
//
// The forward nodes stay as they are; what is added is named after what it belongs to: r.h is the relevance of h, and
// r.h.y the part of it that came back from y.

const { composite } = presetNamed('epsilon');

function withRelevance(graph: Graph): Graph {
  const builder = GraphBuilder.extending(graph, dialect);
  const seed = builder.add('input', [], { name: 'r.y', type: nodeOf(graph, 'y').type });
  const { relevanceOf } = relevance(builder, {
    prefix: 'r.',
    composite,
    seed: { value: 'y', relevance: seed },
    wrt: ['x'],
  });
  return builder.finish({ ...graph.outputs, relevance: relevanceOf.get('x')! });
}

const ruled = withRelevance(block);
const added = [...ruled.nodes.values()].filter(({ name }) => !block.nodes.has(name));
for (const node of added) say(printNode(node));

// h is used twice: by the sum y and by the layer z2. Both send relevance back to it, and one node adds them up. Older code
// needs a Clone layer at the fork to do that; here it is found by the loop.
assert.deepEqual(nodeOf(ruled, 'r.h').args, ['r.h.y', 'r.h.z2']);
assert.equal(nodeOf(ruled, 'r.h').op, 'accumulate');

// By hand, for the first output, R = [16, 0]:
//   the sum      each term its share of y₁ = 7 + 9          r.h.y  = [7, 0]          r.z2 = [9, 0]
//   the layer    9 divided in proportion to 7·1 and 1·2     r.h.z2 = [7, 2]
//   the fork                                                r.h    = [14, 2]
const seed = data([1, 2], [16, 0]);
const values = evaluateAll(ruled, dialect, { x, 'r.y': seed }, weights);
const at = (name: Name) => numbers(values.get(name)!);
close(at('r.h.y'), [7, 0]);
close(at('r.h.z2'), [7, 2]);
close(at('r.h'), [14, 2]);
say(`\nr.h = ${shown(at('r.h.y'))} + ${shown(at('r.h.z2'))} = ${shown(at('r.h'))}`);

// ---------------------------------------------------------------------------------------------------------------------
heading('4  One rule, twice');

// The ε-rule divides R among the inputs in proportion to what they contributed to z = Σᵢ xᵢWᵢⱼ + bⱼ:
//
//   Rᵢ = Σⱼ xᵢWᵢⱼ / (zⱼ + sign(zⱼ)·ε) · Rⱼ  =  xᵢ · Σⱼ Wᵢⱼ sⱼ      with sⱼ = Rⱼ / (zⱼ + sign(zⱼ)·ε)
//
// The left side is evaluated as it stands, on a dense Jacobian: that is what `%r.x = rule.epsilon(…)` means. The right side
// is three graph ops, a quotient, a transposed layer, a product: that is what runs. Neither is derived from the other.

const expanded = expandRules(ruled, dialect);
assert.ok(![...expanded.nodes.values()].some(({ op }) => op.startsWith('rule.')));
say(`${printNode(nodeOf(ruled, 'r.x'))}\n\nbecomes\n`);
const pieces = [...expanded.nodes.keys()].slice([...expanded.nodes.keys()].indexOf('s.z1'));
for (const name of pieces) say(printNode(nodeOf(expanded, name)));

// s = [14/7, 2/1] = [2, 2];  W₁s = [1·2 − 2·2, 3·2 + 0.5·2] = [−2, 7];  x ⊙ W₁s = [−2, 14]
const byFormula = at('r.x');
const byOps = numbers(evaluate(expanded, dialect, { x, 'r.y': seed }, weights).relevance!);
close(byFormula, [-2, 14]);
close(byOps, byFormula, 1e-12);
say(`\nas a formula ${shown(byFormula)}, as graph ops ${shown(byOps)}`);

// ---------------------------------------------------------------------------------------------------------------------
heading('5  A law, and where the rest went');

// The law of relevance: what arrives at the inputs is what started at the output, ΣR(x) = ΣR(y). For the ε-rule
//
//   Σᵢ xᵢWᵢⱼ sⱼ = (zⱼ − bⱼ) sⱼ = Rⱼ − bⱼ sⱼ − (what ε keeps)
//
// so that it holds up to ε without biases, and otherwise everything but the biases' share b ⊙ s arrives.

const without = new Map([...weights, ['b1', data([2], [0, 0])]]);
const start = numbers(evaluate(block, forward, { x }, without).y!)[0]!;
const conserved = evaluate(ruled, dialect, { x, 'r.y': data([1, 2], [start, 0]) }, without).relevance!;
close([sum(numbers(conserved))], [start]);
say(`without biases: ${start} started, ${shown(numbers(conserved))} arrived, together ${start}`);

// With b₁ = [0, 2] only −2 + 14 = 12 of 16 arrive. The account says why: every rule states what it loses, each cause with
// a formula of its own, and the graph is extended by nodes that add them up. Here the bias of z1 takes 2·s₂ = 4.
const account = addAccount(ruled, dialect, {
  seed: { value: 'y', relevance: 'r.y' },
  quantity: 'relevance',
});
const books = evaluate(account.graph, dialect, { x, 'r.y': seed }, weights);
const total = (key: string) => sum(numbers(books[key]!));
let lost = 0;
say(`\nwith biases: ${total(account.start)} started`);
for (const { node, rule, arriving, leaving, leaks } of account.entries) {
  const causes = [...leaks!].map(([cause, key]) => ({ cause, amount: total(key) }));
  // Every entry balances: what came in went on, or was lost for a reason.
  close([total(leaving) + sum(causes.map(({ amount }) => amount))], [total(arriving)], 1e-9);
  lost += sum(causes.map(({ amount }) => amount));
  const list = causes.filter(({ amount }) => Math.abs(amount) > 1e-4);
  const printed = list.map(({ cause, amount }) => `, ${short(amount)} lost to ${cause}`).join('');
  say(`  %${node.name} ${node.op} by ${rule}: ${short(total(arriving))} came${printed}`);
}
close([lost], [4]);
close([sum(byFormula) + lost], [16]);
say(`  ${short(sum(byFormula))} arrived at x, and ${short(lost)} was lost on the way`);

// ---------------------------------------------------------------------------------------------------------------------
heading('6  The code');

// Nobody builds graphs by hand. A front end runs a model once, on tensors that have shapes and no data, and writes down what
// it does; sums with constants then move into the layers before them. `compile` does that and all of the above: target and
// seed as graph ops, relevance, expansion, and passes that leave out what need not be computed.
type Parameters = Record<'w1' | 'b1' | 'w2' | 'b2', tf.Tensor>;

function blockOnTensors(input: tf.Tensor, { w1, b1, w2, b2 }: Parameters): tf.Tensor {
  const hidden = tf.relu(tf.add(tf.matMul(input, w1), b1));
  return tf.add(hidden, tf.add(tf.matMul(hidden, w2), b2));
}

await tf.setBackend('cpu');
const tensorOf = (key: string) => tf.tensor(numbers(weights.get(key)!), [...weights.get(key)!.shape]);
const params = Object.fromEntries(['w1', 'b1', 'w2', 'b2'].map((key) => [key, tensorOf(key)]));
const explainer = await compile(blockOnTensors, { input: [1, 2], params, rules: 'epsilon' });

// What was traced is the network of step 1, op for op.
const opsOf = ({ nodes }: Graph) => [...nodes.values()].map(({ op }) => op).filter((op) => op !== 'param');
assert.deepEqual(opsOf(explainer.stages.get('canonicalize')!.graph), opsOf(block));

// An explainer runs on any backend of TensorFlow.js, in 32 bits, and is emitted as a module of the same calls.
const explanation = await explainer.explain([1, 2]);
assert.equal(explanation.target, 0);
close([explanation.logit, ...explanation.relevance.data], [16, ...byFormula], 1e-4);
say(`explain([1, 2]): f(x) = ${explanation.logit}, relevance ${shown([...explanation.relevance.data])}\n`);

const module = String((await emit(explainer, 'typescript'))['explainer.ts']);
const statements = module.split('\n').filter((line) => /const (s|r|t)_\w+: tf\.Tensor/.test(line));
assert.ok(statements.length > 0, 'the module computes quotients and relevances');
for (const line of statements) say(line.trim());
explainer.dispose();

say('\nEvery step held.');
