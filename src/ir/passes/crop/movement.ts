// How ops that move elements are cropped: ranges along their axes move as the elements do.
import { reshapeGroups } from '../../analyses/axes.js';
import {
  type Box,
  boxOfFlat,
  commonRange,
  emptyBox,
  extentOf,
  flatRange,
  hull,
  isEmpty,
  type Range,
  shifted,
  wholeBox,
  wholeRange,
} from '../../box.js';
import { numberOf, numbersOf } from '../../dialect.js';
import { padAttrs } from '../../ops/movement.js';
import type { Shape } from '../../type.js';
import type { CropRule, Site } from './rule.js';

const operandShape = ({ types }: Site): Shape => types[0]!.shape;
const resultShape = ({ node }: Site): Shape => node.type.shape;

/** Zeros stay zeros wherever they are moved. */
const ofZeros =
  (support: (site: Site, x: Box) => Box): NonNullable<CropRule['support']> =>
  (site, [x]) =>
    isEmpty(x!) ? emptyBox(resultShape(site)) : support(site, x!);

const transpose: CropRule = {
  support: ({ node }, [x]) => numbersOf(node.attrs, 'perm').map((axis) => x![axis]!),
  reads({ node }, box) {
    const perm = numbersOf(node.attrs, 'perm');
    return [perm.map((_, axis) => box[perm.indexOf(axis)]!)];
  },
};

/** A box carried through a reshape, and the groups of axes along which it cannot be: whole there. */
function reshaped(box: Box, from: Shape, to: Shape): { box: Box; lost: readonly (readonly number[])[] } {
  const result = [...wholeBox(to)];
  const lost: (readonly number[])[] = [];
  for (const group of reshapeGroups(from, to)) {
    const extentsAt = (shape: Shape, axes: readonly number[]) => axes.map((axis) => extentOf(shape[axis]!));
    const flat = flatRange(
      group.from.map((axis) => box[axis]!),
      extentsAt(from, group.from),
    );
    const moved = flat && boxOfFlat(flat, extentsAt(to, group.to));
    if (moved === undefined) lost.push(group.from);
    else for (const [at, axis] of group.to.entries()) result[axis] = moved[at]!;
  }
  return { box: result, lost };
}

const reshape: CropRule = {
  support: ofZeros((site, x) => reshaped(x, operandShape(site), resultShape(site)).box),
  widened(site, box) {
    const { lost } = reshaped(box, resultShape(site), operandShape(site));
    const isLost = new Set(lost.flat());
    return box.map((range, axis) => (isLost.has(axis) ? wholeRange(resultShape(site)[axis]!) : range));
  },
  reads: (site, box) => [reshaped(box, resultShape(site), operandShape(site)).box],
};

const broadcast: CropRule = {
  support: ofZeros((site, x) => {
    const box = [...wholeBox(resultShape(site))];
    for (const [axis, to] of numbersOf(site.node.attrs, 'axes').entries()) {
      if (operandShape(site)[axis] === resultShape(site)[to]) box[to] = x[axis]!;
    }
    return box;
  }),
  reads(site, box) {
    const axes = numbersOf(site.node.attrs, 'axes');
    return [
      operandShape(site).map((dim, axis) =>
        dim === resultShape(site)[axes[axis]!] ? box[axes[axis]!]! : [0, 1],
      ),
    ];
  },
};

const stepAt = ({ node }: Site, axis: number) => numbersOf(node.attrs, 'stride')[axis] ?? 1;

const slice: CropRule = {
  support(site, [x]) {
    const begin = numbersOf(site.node.attrs, 'begin');
    return resultShape(site).map((dim, axis) =>
      stepAt(site, axis) > 1
        ? wholeRange(dim)
        : commonRange(shifted(x![axis]!, -begin[axis]!), wholeRange(dim)),
    );
  },
  reads({ node }, box) {
    const [begin, stride] = [numbersOf(node.attrs, 'begin'), numbersOf(node.attrs, 'stride')];
    return [
      box.map(([from, to], axis) => {
        const [at, step] = [begin[axis]!, stride[axis] ?? 1];
        return [at + from * step, at + (to - 1) * step + 1];
      }),
    ];
  },
  isPart: ({ node }) => numbersOf(node.attrs, 'stride').every((step) => step === 1),
  build({ builder, node, args, type, name }) {
    const stride = numbersOf(node.attrs, 'stride');
    const attrs = { begin: stride.map(() => 0), stride };
    return builder.add('slice', [args[0]!], { attrs, type, name });
  },
};

const gapAt = ({ node }: Site, axis: number) => numbersOf(node.attrs, 'interior')[axis] ?? 0;

/** The elements of the operand that lie in a box of the padded value. */
function padded(site: Site, box: Box): Box {
  const low = numbersOf(site.node.attrs, 'low');
  return operandShape(site).map((dim, axis) =>
    gapAt(site, axis) > 0 ? wholeRange(dim) : commonRange(shifted(box[axis]!, -low[axis]!), wholeRange(dim)),
  );
}

const pad: CropRule = {
  support(site, [x]) {
    if (numberOf(site.node.attrs, 'value', 0) !== 0) return wholeBox(resultShape(site));
    const low = numbersOf(site.node.attrs, 'low');
    return resultShape(site).map((dim, axis) =>
      gapAt(site, axis) > 0 ? wholeRange(dim) : shifted(x![axis]!, low[axis]!),
    );
  },
  widened: (site, box) =>
    box.map((range, axis) => (gapAt(site, axis) > 0 ? wholeRange(resultShape(site)[axis]!) : range)),
  reads(site, box) {
    const read = padded(site, box);
    return [isEmpty(read) ? undefined : read];
  },
  build(part) {
    const { builder, node, args, type, name, box } = part;
    const [x] = args;
    const value = numberOf(node.attrs, 'value', 0);
    if (x === undefined) return builder.splat(value, type, name);
    const interior = box.map((_, axis) => gapAt(part, axis));
    const given = numbersOf(node.attrs, 'low');
    const ends = operandShape(part).map((dim, axis) => given[axis]! + extentOf(dim));
    const low = box.map(([begin], axis) =>
      interior[axis]! > 0 ? given[axis]! : Math.max(0, given[axis]! - begin),
    );
    const high = box.map(([, end], axis) =>
      interior[axis]! > 0 ? numbersOf(node.attrs, 'high')[axis]! : Math.max(0, end - ends[axis]!),
    );
    if ([low, high, interior].flat().every((count) => count === 0)) return x;
    const attrs = { ...padAttrs(low, high, interior), ...(value === 0 ? {} : { value: node.attrs.value! }) };
    return builder.add('pad', [x], { attrs, name });
  },
};

/** Where each operand of a concatenation begins along its axis, and where the last ends. */
function startsOf({ node, types }: Site): number[] {
  const axis = numberOf(node.attrs, 'axis');
  const starts = [0];
  for (const { shape } of types) starts.push(starts.at(-1)! + extentOf(shape[axis]!));
  return starts;
}

const along = (box: Box, axis: number, range: Range): Box =>
  box.map((own, at) => (at === axis ? range : own));

const concat: CropRule = {
  support(site, supports) {
    const axis = numberOf(site.node.attrs, 'axis');
    const starts = startsOf(site);
    return supports
      .map((own, slot) => along(own, axis, shifted(own[axis]!, starts[slot]!)))
      .reduce(hull, emptyBox(resultShape(site)));
  },
  reads(site, box) {
    const axis = numberOf(site.node.attrs, 'axis');
    const starts = startsOf(site);
    return site.types.map(({ shape }, slot) => {
      const own = commonRange(shifted(box[axis]!, -starts[slot]!), wholeRange(shape[axis]!));
      return own[0] >= own[1] ? undefined : along(box, axis, own);
    });
  },
  build({ builder, node, args, name }) {
    const parts = args.filter((arg) => arg !== undefined);
    return parts.length === 1 ? parts[0]! : builder.add('concat', parts, { attrs: node.attrs, name });
  },
};

const mirrored = ({ node }: Site, box: Box): Box => {
  const axes = numbersOf(node.attrs, 'axes');
  return box.map(([begin, end], axis) => {
    const extent = extentOf(node.type.shape[axis]!);
    return axes.includes(axis) ? [extent - end, extent - begin] : [begin, end];
  });
};

const reverse: CropRule = {
  support: (site, [x]) => mirrored(site, x!),
  reads: (site, box) => [mirrored(site, box)],
};

/** Ranges of the result of a gather, or of the updates of a scatter, with those along the indices exchanged. */
const exchange = (box: Box, axis: number, count: number, by: Box): Box => [
  ...box.slice(0, axis),
  ...by,
  ...box.slice(axis + count),
];

const axisOf = ({ node }: Site) => numberOf(node.attrs, 'axis');

const gather: CropRule = {
  support: ofZeros((site, x) => exchange(x, axisOf(site), 1, wholeBox(site.types[1]!.shape))),
  reads(site, box) {
    const [axis, rank] = [axisOf(site), site.types[1]!.shape.length];
    const picked = wholeRange(operandShape(site)[axis]!);
    return [exchange(box, axis, rank, [picked]), box.slice(axis, axis + rank)];
  },
};

const scatterAdd: CropRule = {
  support: ofZeros((site, updates) => {
    const [axis, rank] = [axisOf(site), site.types[1]!.shape.length];
    return exchange(updates, axis, rank, [wholeRange(resultShape(site)[axis]!)]);
  }),
  widened: (site, box) => along(box, axisOf(site), wholeRange(resultShape(site)[axisOf(site)]!)),
  reads(site, box) {
    const indices = wholeBox(site.types[1]!.shape);
    return [exchange(box, axisOf(site), 1, indices), indices];
  },
};

export const movementRules: Readonly<Record<string, CropRule>> = {
  ...{ transpose, reshape, broadcast, slice, pad, concat, reverse, gather },
  scatter_add: scatterAdd,
};
