// The networks that are measured: their presets, and what is written by hand for one of them.
import type * as tf from '@tensorflow/tfjs';
import { type Contestant, eager, gradient } from './contestants.js';
import { carefulVgg } from './eager/careful-vgg.js';
import { carefulStack, naturalStack } from './eager/dense-stack.js';
import { naturalVgg } from './eager/natural-vgg.js';
import { stepsOf } from './eager/steps.js';
import { denseStackSubject, type StackSubject } from './networks/dense-stack.js';
import { mobilenetV2 } from './networks/mobilenet-v2.js';
import { type DifferentiableSubject, pictureSubject, type Subject } from './networks/network.js';
import { resnet50 } from './networks/resnet50.js';
import { bertSubject, vitSubject } from './networks/transformers.js';
import { vgg16 } from './networks/vgg16.js';

export interface Network {
  /** Asked for by this name. */
  readonly key: string;
  readonly title: string;
  readonly presets: readonly string[];
  /** The preset under which others are compared. */
  readonly compared: string;
  /** Whether two programs of tfjs with its weights are too many for tfjs's 4 GB. */
  readonly large: boolean;
  /** Whether every preset runs on tfjs too, or the compared one alone: explanations take it many seconds. */
  readonly onTfjs: 'every preset' | 'compared';
  build(): Subject;
  /** What the compared preset is set beside: the same by hand, and the gradient where there is one. */
  others(subject: Subject): readonly Contestant[];
}

const kept = () => undefined;

function besideVgg(built: Subject): readonly Contestant[] {
  const subject = built as DifferentiableSubject;
  const model = subject.model as tf.LayersModel;
  const steps = stepsOf(model);
  return [
    eager('eager, careful', subject, carefulVgg(model)),
    eager('eager, natural', subject, { relevance: (input) => naturalVgg(steps, input), dispose: kept }),
    gradient(subject),
  ];
}

function besideStack(built: Subject): readonly Contestant[] {
  const subject = built as StackSubject;
  const { params } = subject;
  return [
    eager('eager, careful', subject, carefulStack(params)),
    eager('eager, natural', subject, { relevance: (input) => naturalStack(params, input), dispose: kept }),
    gradient(subject),
  ];
}

const besideGradient = (built: Subject): readonly Contestant[] => [gradient(built as DifferentiableSubject)];

/** The presets that are for transformers. */
const transformerPresets = [
  'attnlrp',
  'cp-lrp',
  'transformer-attribution',
  'rollout',
  'last-layer',
  'attention-rollout',
];

export const networks: readonly Network[] = [
  {
    key: 'vgg16',
    title: 'VGG16, 224×224×3',
    presets: ['epsilon', 'epsilon-plus', 'epsilon-alpha2-beta1', 'epsilon-gamma-box', 'epsilon-plus-flat'],
    compared: 'epsilon-plus',
    large: true,
    onTfjs: 'every preset',
    build: () => pictureSubject(vgg16(), 224),
    others: besideVgg,
  },
  {
    key: 'resnet50',
    title: 'ResNet-50, 224×224×3',
    presets: ['epsilon', 'epsilon-plus', 'epsilon-gamma-box'],
    compared: 'epsilon-plus',
    large: false,
    onTfjs: 'every preset',
    build: () => pictureSubject(resnet50(), 224),
    others: besideGradient,
  },
  {
    key: 'mobilenet',
    title: 'MobileNetV2, 224×224×3',
    presets: ['epsilon', 'epsilon-plus', 'epsilon-gamma-box'],
    compared: 'epsilon-plus',
    large: false,
    onTfjs: 'every preset',
    build: () => pictureSubject(mobilenetV2(), 224),
    others: besideGradient,
  },
  {
    key: 'dense',
    title: '12 dense layers 768 ↔ 3072 on 197 tokens',
    presets: ['epsilon'],
    compared: 'epsilon',
    large: false,
    onTfjs: 'every preset',
    build: denseStackSubject,
    others: besideStack,
  },
  {
    key: 'vit',
    title: 'ViT-B/16, 224×224×3',
    presets: ['gradient', ...transformerPresets],
    compared: 'attnlrp',
    large: false,
    onTfjs: 'compared',
    build: vitSubject,
    others: besideGradient,
  },
  {
    key: 'bert',
    title: 'BERT base, 128 tokens',
    presets: transformerPresets,
    compared: 'attnlrp',
    large: false,
    onTfjs: 'compared',
    build: bertSubject,
    others: () => [],
  },
];
