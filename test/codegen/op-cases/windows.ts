// Convolutions and their transposes, pools, and resizing.
import { type OpCase, opCase, x } from './op-case.js';

/** A convolution of `input` with `kernel`, result stated, attributes in alphabetical order. */
function conv(name: string, input: string, kernel: string, attrs: string, output: string): OpCase[] {
  const channels = output.split(',').at(-1)!;
  const sides = { x: `in f32[${input}]`, w: `w f32[${kernel}]` };
  const inputs = input.split(',').at(-1)!;
  return [
    opCase(`conv ${name}`, sides, `conv(%x, %w) {${attrs}} : f32[${output}]`),
    opCase(
      `conv ${name}, bias`,
      { ...sides, b: `w f32[${channels}]` },
      `conv(%x, %w, %b) {${attrs}} : f32[${output}]`,
    ),
    opCase(
      `conv_transpose ${name}`,
      { x: `in f32[${output}]`, w: sides.w },
      `conv_transpose(%x, %w) {${attrs}} : f32[${input}]`,
    ),
    opCase(
      `conv_transpose ${name}, bias`,
      { x: `in f32[${output}]`, w: sides.w, b: `w f32[${inputs}]` },
      `conv_transpose(%x, %w, %b) {${attrs}} : f32[${input}]`,
    ),
  ];
}

const convolutions = [
  ...conv('2-D', 'N,6,5,3', '3,3,3,4', 'padding=[[0,0],[0,0]], strides=[1,1]', 'N,4,3,4'),
  ...conv('2-D padded', 'N,6,5,3', '3,3,3,4', 'padding=[[1,1],[1,1]], strides=[1,1]', 'N,6,5,4'),
  ...conv('2-D padded unevenly', 'N,6,5,3', '3,2,3,4', 'padding=[[2,0],[0,1]], strides=[1,1]', 'N,6,5,4'),
  ...conv('2-D stride 2', 'N,7,8,3', '3,3,3,4', 'padding=[[1,0],[0,1]], strides=[2,2]', 'N,3,4,4'),
  ...conv('2-D strides 2 and 3', 'N,9,8,2', '3,2,2,3', 'padding=[[1,1],[0,0]], strides=[2,3]', 'N,5,3,3'),
  ...conv(
    '2-D stride beyond the kernel',
    'N,9,8,2',
    '2,1,2,3',
    'padding=[[0,0],[0,0]], strides=[3,2]',
    'N,3,4,3',
  ),
  ...conv('2-D patches', 'N,6,8,3', '3,2,3,4', 'padding=[[0,0],[0,0]], strides=[3,2]', 'N,2,4,4'),
  ...conv(
    '2-D patches in panels',
    'N,8,10,3',
    '2,2,3,32',
    'padding=[[0,0],[0,0]], strides=[2,2]',
    'N,4,5,32',
  ),
  ...conv(
    '2-D patches in groups',
    'N,6,8,6',
    '3,2,3,4',
    'groups=2, padding=[[0,0],[0,0]], strides=[3,2]',
    'N,2,4,4',
  ),
  ...conv('1-D patches', 'N,12,3', '4,3,5', 'padding=[[0,0]], strides=[4]', 'N,3,5'),
  ...conv(
    '2-D patches that leave a rest',
    'N,7,9,3',
    '3,2,3,4',
    'padding=[[0,0],[0,0]], strides=[3,2]',
    'N,2,4,4',
  ),
  ...conv(
    '2-D dilated',
    'N,7,8,3',
    '3,2,3,4',
    'dilations=[2,3], padding=[[1,2],[0,0]], strides=[1,1]',
    'N,6,5,4',
  ),
  ...conv(
    '2-D dilated with stride',
    'N,9,9,2',
    '2,2,2,3',
    'dilations=[2,3], padding=[[1,1],[0,2]], strides=[2,2]',
    'N,5,4,3',
  ),
  ...conv(
    '2-D padded beyond its reach',
    'N,4,4,2',
    '2,2,2,3',
    'padding=[[3,2],[2,3]], strides=[1,1]',
    'N,8,8,3',
  ),
  ...conv(
    '2-D padded beyond its reach with stride',
    'N,4,4,2',
    '2,2,2,3',
    'padding=[[3,2],[2,3]], strides=[2,2]',
    'N,4,4,3',
  ),
  ...conv('2-D of one place', 'N,4,5,3', '1,1,3,4', 'padding=[[0,0],[0,0]], strides=[1,1]', 'N,4,5,4'),
  ...conv(
    '2-D of one place with stride',
    'N,4,5,3',
    '1,1,3,4',
    'padding=[[0,0],[0,0]], strides=[2,2]',
    'N,2,3,4',
  ),
  ...conv('2-D in groups', 'N,5,5,4', '3,3,2,6', 'groups=2, padding=[[1,1],[1,1]], strides=[1,1]', 'N,5,5,6'),
  ...conv(
    '2-D in groups with stride',
    'N,5,6,4',
    '3,3,2,6',
    'groups=2, padding=[[1,1],[0,1]], strides=[2,2]',
    'N,3,3,6',
  ),
  ...conv(
    '2-D in groups, dilated with stride',
    'N,7,7,4',
    '3,3,2,2',
    'dilations=[2,2], groups=2, padding=[[1,1],[0,2]], strides=[2,1]',
    'N,3,5,2',
  ),
  ...conv('depthwise', 'N,5,5,3', '3,3,1,3', 'groups=3, padding=[[1,1],[1,1]], strides=[1,1]', 'N,5,5,3'),
  ...conv(
    'depthwise, two a channel',
    'N,5,5,3',
    '3,3,1,6',
    'groups=3, padding=[[1,1],[1,1]], strides=[1,1]',
    'N,5,5,6',
  ),
  ...conv(
    'depthwise with stride',
    'N,6,7,3',
    '3,3,1,3',
    'groups=3, padding=[[0,1],[1,0]], strides=[2,2]',
    'N,3,3,3',
  ),
  ...conv(
    'depthwise with strides 2 and 1',
    'N,6,7,3',
    '3,3,1,3',
    'groups=3, padding=[[0,1],[1,0]], strides=[2,1]',
    'N,3,6,3',
  ),
  ...conv(
    'depthwise dilated',
    'N,7,7,3',
    '3,3,1,3',
    'dilations=[2,2], groups=3, padding=[[1,1],[1,1]], strides=[1,1]',
    'N,5,5,3',
  ),
  ...conv(
    'depthwise dilated with stride',
    'N,8,7,3',
    '3,3,1,3',
    'dilations=[2,1], groups=3, padding=[[1,2],[1,1]], strides=[2,2]',
    'N,4,4,3',
  ),
  ...conv('1-D', 'N,7,3', '3,3,4', 'padding=[[1,0]], strides=[1]', 'N,6,4'),
  ...conv('1-D with stride', 'N,7,3', '3,3,4', 'padding=[[1,1]], strides=[2]', 'N,4,4'),
  ...conv('1-D dilated', 'N,9,3', '3,3,4', 'dilations=[2], padding=[[2,1]], strides=[1]', 'N,8,4'),
  ...conv(
    '1-D dilated with stride',
    'N,9,3',
    '3,3,4',
    'dilations=[2], padding=[[2,1]], strides=[3]',
    'N,3,4',
  ),
  ...conv('1-D in groups', 'N,7,4', '3,2,2', 'groups=2, padding=[[1,1]], strides=[1]', 'N,7,2'),
  ...conv('1-D depthwise', 'N,7,4', '3,1,4', 'groups=4, padding=[[1,1]], strides=[1]', 'N,7,4'),
  ...conv('3-D', 'N,4,4,3,2', '2,2,2,2,3', 'padding=[[0,0],[1,0],[0,0]], strides=[1,1,1]', 'N,3,4,2,3'),
  ...conv(
    '3-D with stride',
    'N,4,5,3,2',
    '2,2,2,2,3',
    'padding=[[0,0],[1,0],[1,1]], strides=[2,2,2]',
    'N,2,3,2,3',
  ),
  ...conv(
    '3-D dilated',
    'N,4,5,4,2',
    '2,2,2,2,3',
    'dilations=[2,1,2], padding=[[0,0],[1,0],[0,0]], strides=[1,1,1]',
    'N,2,5,2,3',
  ),
  ...conv(
    '3-D dilated with stride',
    'N,5,5,4,2',
    '2,2,2,2,3',
    'dilations=[2,2,1], padding=[[0,0],[1,0],[0,0]], strides=[2,2,1]',
    'N,2,2,3,3',
  ),
  ...conv(
    '3-D in groups',
    'N,3,3,3,4',
    '2,2,2,2,2',
    'groups=2, padding=[[0,0],[1,0],[0,0]], strides=[1,1,1]',
    'N,2,3,2,2',
  ),
];

function pools(name: string, attrs: string, from: string, to: string): OpCase[] {
  return [
    opCase(`max_pool ${name}`, { x: `low f32[${from}]` }, `max_pool(%x) {${attrs}} : f32[${to}]`),
    opCase(
      `max_unpool ${name}`,
      { x: `low f32[${from}]`, r: `in f32[${to}]` },
      `max_unpool(%x, %r) {${attrs}} : f32[${from}]`,
    ),
    opCase(`avg_pool ${name}`, { x: `in f32[${from}]` }, `avg_pool(%x) {${attrs}} : f32[${to}]`),
  ];
}

const pooling = [
  ...pools('2×2', 'padding=[[0,0],[0,0]], strides=[2,2], window=[2,2]', 'N,4,6,3', 'N,2,3,3'),
  ...pools('with a rest', 'padding=[[0,0],[0,0]], strides=[2,2], window=[2,2]', 'N,5,5,3', 'N,2,2,3'),
  ...pools('overlapping', 'padding=[[0,0],[0,0]], strides=[1,1], window=[3,2]', 'N,5,5,2', 'N,3,4,2'),
  ...pools('overlapping, padded', 'padding=[[1,1],[1,1]], strides=[2,2], window=[3,3]', 'N,7,6,2', 'N,4,3,2'),
  ...pools('padded unevenly', 'padding=[[0,1],[1,0]], strides=[2,2], window=[3,3]', 'N,6,6,2', 'N,3,3,2'),
  ...pools('with gaps', 'padding=[[0,0],[0,0]], strides=[3,3], window=[2,2]', 'N,8,5,2', 'N,3,2,2'),
  ...pools(
    'of the whole picture',
    'padding=[[0,0],[0,0]], strides=[4,5], window=[4,5]',
    'N,4,5,3',
    'N,1,1,3',
  ),
  ...pools('of one place', 'padding=[[0,0],[0,0]], strides=[1,1], window=[1,1]', 'N,3,3,2', 'N,3,3,2'),
  ...pools(
    'of one place with stride',
    'padding=[[0,0],[0,0]], strides=[2,2], window=[1,1]',
    'N,5,5,2',
    'N,3,3,2',
  ),
  ...pools('oblong', 'padding=[[1,0],[0,1]], strides=[1,2], window=[2,3]', 'N,4,6,2', 'N,4,3,2'),
  ...pools(
    'with strides beyond the window, padded',
    'padding=[[1,1],[0,0]], strides=[3,2], window=[2,1]',
    'N,6,4,2',
    'N,3,2,2',
  ),
  ...pools('1-D', 'padding=[[1,1]], strides=[2], window=[3]', 'N,7,2', 'N,4,2'),
  ...pools('3-D', 'padding=[[1,0],[0,1],[0,0]], strides=[2,1,2], window=[2,2,3]', 'N,4,3,5,2', 'N,2,3,2,2'),
];

const modes = ['mode="bilinear"', 'mode="nearest"'].flatMap((mode) => [
  mode,
  `align_corners=true, ${mode}`,
  `half_pixel=true, ${mode}`,
]);

const resizes = modes.flatMap((attrs) => [
  opCase(`resize up ${attrs}`, x('f32[N,3,4,2]'), `resize(%x) {${attrs}} : f32[N,7,6,2]`),
  opCase(`resize down ${attrs}`, x('f32[N,7,6,2]'), `resize(%x) {${attrs}} : f32[N,3,4,2]`),
  opCase(`resize_transpose up ${attrs}`, x('f32[N,7,6,2]'), `resize_transpose(%x) {${attrs}} : f32[N,3,4,2]`),
  opCase(
    `resize_transpose down ${attrs}`,
    x('f32[N,3,4,2]'),
    `resize_transpose(%x) {${attrs}} : f32[N,7,6,2]`,
  ),
]);

export const windowCases: readonly OpCase[] = [...convolutions, ...pooling, ...resizes];
