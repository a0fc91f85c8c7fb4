// The public API.
export type { BatchItem, BatchOptions, InputSource } from './api/batch.js';
export { type CompileOptions, compile, type ExplanationOptions } from './api/compile.js';
export type {
  Agreement,
  ArrivedAmount,
  ConservationReport,
  Leaks,
  NodeBalance,
} from './api/conservation.js';
export type {
  CustomRule,
  CustomRules,
  LossFunction,
  RelevanceFunction,
  RuledNode,
  RuledOp,
} from './api/custom-rules.js';
export {
  type DriverOptions,
  type IntegratedGradients,
  type IntegratedGradientsOptions,
  integratedGradients,
  type SmoothGradOptions,
  smoothGrad,
} from './api/drivers.js';
export { type EmitOptions, emit, type Target, targets } from './api/emit.js';
export { type ExecutionTarget, executionTargets } from './api/engine.js';
export type { CheckOptions, Explainer, Stage } from './api/explainer.js';
export type { Inputs, InputValue } from './api/inputs.js';
export { type KernelListing, type KernelStageName, kernelStageNames, type MemoryUse } from './api/kernels.js';
export { type Model, type TraceOptions, trace } from './api/model.js';
export { dialect, type StageName, stageNames } from './api/pipeline.js';
export type { Classes, ExplainOptions } from './api/seed.js';
export { type TokenHeatmapOptions, tokenHeatmap, type UpsampleMode } from './api/token-heatmap.js';
export { type Manifest, parseManifest } from './codegen/manifest.js';
export type { Explanation, Values } from './codegen/wasm/runtime/explanation.js';
export type { Bound, Interval } from './ir/analyses/interval.js';
export type { TokenLayout } from './ir/analyses/tokens.js';
export { type ErrorCode, errorCodes, RelcError } from './ir/error.js';
export { evaluate, evaluateAll, evaluatePaced, type PacedOptions } from './ir/evaluate.js';
export type { Attr, Attrs, Graph, Loc, Name, Node } from './ir/graph.js';
export { toGraphlib } from './ir/graphlib.js';
export { parse, parseAll } from './ir/parse.js';
export type { Pass, Program } from './ir/passes/pass.js';
export { type PrintOptions, print } from './ir/print.js';
export { decodeSafetensors, encodeSafetensors } from './ir/safetensors.js';
export type { TensorData, Weights } from './ir/tensor.js';
export type { Dim, Dtype, Shape, TensorType } from './ir/type.js';
export { verify } from './ir/verify.js';
export type { AttentionMethod, AttentionOptions } from './rules/attention/method.js';
export { type Cause, causes } from './rules/cause-names.js';
export type { Composite, CompositeLine, Match, RuleChoice } from './rules/composite.js';
export { type CompositeFile, parseComposite, printComposite, type Rules } from './rules/composite-file.js';
export { base, type Preset, presets, type Seed } from './rules/presets.js';
export type { FunctionInputs, ModelFunction, ModelResult, Params } from './trace/function.js';
export type { InputShape, InputSpec, TypedInput } from './trace/trace.js';
