// The networks that are measured: their presets, and what is written by hand for one of them.
import type * as tf from '@tensorflow/tfjs';
import { type Contestant, eager } from './contestants.js';
import { carefulVgg } from './eager/careful-vgg.js';
import { carefulStack, naturalStack } from './eager/dense-stack.js';
import { naturalVgg } from './eager/natural-vgg.js';
import { stepsOf } from './eager/steps.js';
import { denseStackSubject, type StackSubject } from './networks/dense-stack.js';
import { mobilenetV2 } from './networks/mobilenet-v2.js';
import { pictureSubject, type Subject } from './networks/network.js';
import { resnet50 } from './networks/resnet50.js';
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
  build(): Subject;
  /** The compared preset, written by hand. */
  byHand(subject: Subject): readonly Contestant[];
}

const kept = () => undefined;

function vggByHand(subject: Subject): readonly Contestant[] {
  const model = subject.model as tf.LayersModel;
  const steps = stepsOf(model);
  return [
    eager('eager, careful', subject, carefulVgg(model)),
    eager('eager, natural', subject, { relevance: (input) => naturalVgg(steps, input), dispose: kept }),
  ];
}

function stackByHand(subject: Subject): readonly Contestant[] {
  const { params } = subject as StackSubject;
  return [
    eager('eager, careful', subject, carefulStack(params)),
    eager('eager, natural', subject, { relevance: (input) => naturalStack(params, input), dispose: kept }),
  ];
}

export const networks: readonly Network[] = [
  {
    key: 'vgg16',
    title: 'VGG16, 224×224×3',
    presets: ['epsilon', 'epsilon-plus', 'epsilon-alpha2-beta1', 'epsilon-gamma-box', 'epsilon-plus-flat'],
    compared: 'epsilon-plus',
    large: true,
    build: () => pictureSubject(vgg16(), 224),
    byHand: vggByHand,
  },
  {
    key: 'resnet50',
    title: 'ResNet-50, 224×224×3',
    presets: ['epsilon', 'epsilon-plus', 'epsilon-gamma-box'],
    compared: 'epsilon-plus',
    large: false,
    build: () => pictureSubject(resnet50(), 224),
    byHand: () => [],
  },
  {
    key: 'mobilenet',
    title: 'MobileNetV2, 224×224×3',
    presets: ['epsilon', 'epsilon-plus', 'epsilon-gamma-box'],
    compared: 'epsilon-plus',
    large: false,
    build: () => pictureSubject(mobilenetV2(), 224),
    byHand: () => [],
  },
  {
    key: 'dense',
    title: '12 dense layers 768 ↔ 3072 on 197 tokens',
    presets: ['epsilon'],
    compared: 'epsilon',
    large: false,
    build: denseStackSubject,
    byHand: stackByHand,
  },
];
