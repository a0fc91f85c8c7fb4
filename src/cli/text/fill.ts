// Filling: the inputs of a model from the ids of a text: the ids, padded where the model wants more, and what goes with them.
import { RelcError } from '../../ir/error.js';
import type { Name } from '../../ir/graph.js';
import type { TokenInputs } from './roles.js';
import type { Encoding, Tokenizer } from './tokenizer.js';

export type NumbersByName = Readonly<Record<Name, Float32Array>>;

/** What a model is given. */
export interface Filled {
  readonly values: NumbersByName;
  /** Tokens that are no padding. */
  readonly count: number;
  /** What was filled how, where anything but the ids themselves was. */
  readonly notes: readonly string[];
}

/** @throws RelcError RELC5009 where an id is none of the vocabulary's */
export function expectIds(
  ids: readonly number[],
  vocabulary: number | undefined,
  tokenizer: Tokenizer | undefined,
): void {
  const largest = vocabulary === undefined ? Number.POSITIVE_INFINITY : vocabulary - 1;
  const index = ids.findIndex((id) => !(Number.isInteger(id) && id >= 0 && id <= largest));
  if (index < 0) return;
  const id = ids[index]!;
  const piece = tokenizer === undefined ? '' : ` ("${tokenizer.tokenOf(id).piece}")`;
  const wanted = vocabulary === undefined ? 'integers from 0 on' : `ids from 0 to ${largest}`;
  throw new RelcError(
    'RELC5009',
    `token ${index} is ${id}${piece}, and the model takes ${wanted}`,
    tokenizer === undefined
      ? undefined
      : `is ${tokenizer.path} the tokenizer that the model was trained with?`,
  );
}

/** @throws RelcError RELC5009 where the model wants more tokens, and there is none to fill up with */
function padding(missing: number, { ids, length }: TokenInputs, pad: number | undefined): number[] {
  if (missing === 0) return [];
  if (pad !== undefined) return Array.from({ length: missing }, () => pad);
  throw new RelcError(
    'RELC5009',
    `there are ${length - missing} tokens, input ${ids.name} takes ${length}, and no padding token is known`,
    `give ${length} ids, or a tokenizer with a padding token (pad_token in tokenizer_config.json)`,
  );
}

function noteOf(inputs: TokenInputs, missing: number, pad: number | undefined, others: readonly string[]) {
  const { ids, length, mask } = inputs;
  const padded = `${ids.name} with ${length - missing} tokens and ${missing} of padding (id ${pad})`;
  const unmasked = missing > 0 && mask === undefined ? '; no input tells the model what is padding' : '';
  return `filled: ${[...(missing > 0 ? [padded] : []), ...others].join(', ')}${unmasked}`;
}

/**
 * All inputs of a sample. Padding stands behind the tokens.
 * @param given  inputs that were given by name: they stay as they are
 * @throws RelcError RELC5009 where there are too many tokens, or no padding token
 */
export function fillInputs(
  inputs: TokenInputs,
  { ids, types }: Encoding,
  { pad, given = {} }: { readonly pad: number | undefined; readonly given?: NumbersByName },
): Filled {
  const { length } = inputs;
  const missing = length - ids.length;
  if (missing < 0) {
    throw new RelcError(
      'RELC5009',
      `there are ${ids.length} tokens, and input ${inputs.ids.name} takes ${length}`,
      'shorten the text, or leave out its end with --truncate',
    );
  }
  const row = (item: (index: number) => number) => Float32Array.from({ length }, (_, index) => item(index));
  const all = [...ids, ...padding(missing, inputs, pad)];
  const isToken = (index: number) => index < ids.length;
  const rows = {
    mask: [
      row((index) => (isToken(index) ? 1 : 0)),
      missing > 0 ? 'with 1 for tokens, 0 for padding' : 'with 1',
    ],
    types: [row((index) => types[index] ?? 0), 'with the part of the text that each token is of'],
    positions: [row((index) => index), `with 0 to ${length - 1}`],
  } as const;
  const found = (['mask', 'types', 'positions'] as const).flatMap((role) => {
    const node = inputs[role];
    return node === undefined || given[node.name] !== undefined ? [] : [[node.name, ...rows[role]] as const];
  });
  const others = found.map(([name, , how]) => `${name} ${how}`);
  return {
    values: {
      [inputs.ids.name]: Float32Array.from(all),
      ...Object.fromEntries(found.map(([name, numbers]) => [name, numbers])),
      ...given,
    },
    count: ids.length,
    notes: missing > 0 || others.length > 0 ? [noteOf(inputs, missing, pad, others)] : [],
  };
}
