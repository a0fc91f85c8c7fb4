// Filling: which input is for what, by its name, and what each is given.
import { describe, expect, it } from 'vitest';
import { expectIds, fillInputs } from '../../../src/cli/text/fill.js';
import { tokenInputs, vocabularyOf } from '../../../src/cli/text/roles.js';
import { forward } from '../../../src/ir/forward.js';
import type { Node } from '../../../src/ir/graph.js';
import { parse } from '../../../src/ir/parse.js';
import type { Shape } from '../../../src/ir/type.js';
import { refusal } from '../../trace/support.js';

const node = (name: string, shape: Shape = ['N', 5], dtype: 'i32' | 'f32' = 'i32'): Node => ({
  ...{ name, op: 'input', args: [], attrs: {} },
  type: { dtype, shape },
  loc: {},
});
const inputs = (...names: string[]) => names.map((name) => node(name));

const encoding = { ids: [7, 8, 9], types: [0, 0, 1] };
const rows = (values: Readonly<Record<string, Float32Array>>) =>
  Object.fromEntries(Object.entries(values).map(([name, row]) => [name, [...row]]));

describe('roles', () => {
  it.each([
    [['x'], 'x', {}],
    [
      ['input_ids', 'attention_mask', 'token_type_ids', 'position_ids'],
      'input_ids',
      { mask: 'attention_mask', types: 'token_type_ids', positions: 'position_ids' },
    ],
    [
      ['input_word_ids', 'input_mask', 'input_type_ids'],
      'input_word_ids',
      { mask: 'input_mask', types: 'input_type_ids' },
    ],
    [
      ['serving_default_input_ids:0', 'serving_default_attention_mask:0'],
      'serving_default_input_ids:0',
      { mask: 'serving_default_attention_mask:0' },
    ],
    [
      ['padding_mask', 'token_ids', 'segment_ids_1'],
      'token_ids',
      { mask: 'padding_mask', types: 'segment_ids_1' },
    ],
  ])('%j', (names, ids, roles) => {
    const { mask, types, positions, ...found } = tokenInputs(inputs(...names));
    expect([found.ids.name, found.length]).toEqual([ids, 5]);
    const named = Object.entries({ mask, types, positions }).flatMap(([role, own]) =>
      own === undefined ? [] : [[role, own.name]],
    );
    expect(Object.fromEntries(named)).toEqual(roles);
  });

  it('may have axes of one beside the tokens', () => {
    const { mask, length } = tokenInputs([node('ids', [1, 5]), node('mask', ['N', 1, 1, 5], 'f32')]);
    expect([mask?.name, length]).toEqual(['mask', 5]);
  });

  it.each([
    ['another input', inputs('input_ids', 'temperature'), 'input temperature i32[N,5] cannot be filled'],
    ['a mask that is upside down', inputs('ids', 'key_padding_mask'), 'input key_padding_mask'],
    ['a mask of another length', [node('ids'), node('mask', ['N', 5, 5])], 'input mask i32[N,5,5]'],
    ['two masks', inputs('ids', 'input_mask', 'attention_mask'), 'input attention_mask'],
    ['two rows of ids', inputs('first_ids', 'second_ids'), 'none of them is known for one row of token ids'],
    ['a picture', [node('image', ['N', 8, 8, 3], 'f32')], 'the model takes image f32[N,8,8,3]'],
  ])('of %s are none', (_what, nodes, message) => {
    expect(refusal(() => tokenInputs(nodes), 'RELC5009').message).toContain(message);
  });

  it('are not needed by inputs that are given', () => {
    const { ids } = tokenInputs(inputs('input_ids', 'temperature'), new Set(['temperature']));
    expect(ids.name).toBe('input_ids');
  });
});

describe('what is filled', () => {
  const all = tokenInputs(inputs('ids', 'mask', 'type_ids', 'positions'));

  it('is padded behind the tokens, and said', () => {
    const { values, count, notes } = fillInputs(all, encoding, { pad: 1 });
    expect(rows(values)).toEqual({
      ids: [7, 8, 9, 1, 1],
      mask: [1, 1, 1, 0, 0],
      type_ids: [0, 0, 1, 0, 0],
      positions: [0, 1, 2, 3, 4],
    });
    expect(count).toBe(3);
    expect(notes).toEqual([
      'filled: ids with 3 tokens and 2 of padding (id 1), mask with 1 for tokens, 0 for padding, ' +
        'type_ids with the part of the text that each token is of, positions with 0 to 4',
    ]);
  });

  it('is said where nothing tells the model what is padding', () => {
    const { notes } = fillInputs(tokenInputs(inputs('ids')), encoding, { pad: 0 });
    expect(notes[0]).toMatch(/2 of padding \(id 0\); no input tells the model what is padding$/);
  });

  it('is not worth a note where it is the ids alone', () => {
    const whole = { ids: [1, 2, 3, 4, 5], types: [] };
    expect(fillInputs(tokenInputs(inputs('ids')), whole, { pad: undefined }).notes).toEqual([]);
  });

  it('stays as it is where it was given', () => {
    const mask = Float32Array.of(1, 1, 1, 1, 0);
    const { values, notes } = fillInputs(all, encoding, { pad: 0, given: { mask } });
    expect(values.mask).toBe(mask);
    expect(notes[0]).not.toContain('mask with');
  });

  it('is refused where there are too many tokens, or no padding', () => {
    const long = { ids: [1, 2, 3, 4, 5, 6], types: [] };
    expect(refusal(() => fillInputs(all, long, { pad: 0 }), 'RELC5009').message).toContain(
      'there are 6 tokens, and input ids takes 5',
    );
    expect(refusal(() => fillInputs(all, encoding, { pad: undefined }), 'RELC5009').message).toContain(
      'no padding token is known',
    );
  });
});

describe('the vocabulary', () => {
  it('is the smallest table that ids are looked up in', () => {
    const graph = parse(
      `graph @lookups {
  %x = input() : f32[N,4]
  %ids = cast(%x) : i32[N,4]
  %flat = reshape(%ids) : i32[4N]
  %words = param() {key="words"} : f32[7,2]
  %others = param() {key="others"} : f32[5,8]
  %a = gather(%words, %ids) {axis=0} : f32[N,4,2]
  %b = gather(%others, %flat) {axis=0} : f32[4N,8]
  return a=%a, b=%b
}`,
      forward,
    );
    expect(vocabularyOf(graph, 'x')).toBe(5);
    expect(vocabularyOf(graph, 'words')).toBeUndefined();
  });

  it('holds every id', () => {
    expect(() => expectIds([0, 4], 5, undefined)).not.toThrow();
    for (const bad of [5, -1, 0.5, Number.NaN]) {
      expect(refusal(() => expectIds([0, bad], 5, undefined), 'RELC5009').message).toContain(
        `token 1 is ${bad}, and the model takes ids from 0 to 4`,
      );
    }
    expect(() => expectIds([1e6], undefined, undefined)).not.toThrow();
    expect(() => expectIds([Number.NaN], undefined, undefined)).toThrow('integers from 0 on');
  });
});
