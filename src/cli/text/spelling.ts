// Spelling: what the marks in a tokenizer's pieces stand for, so that pieces read as the text they were cut from.

/** The parts of a tokenizer.json that say how pieces are written. */
export interface SpelledModel {
  readonly model: {
    readonly type?: string | undefined;
    readonly continuing_subword_prefix?: string | null | undefined;
    readonly end_of_word_suffix?: string | null | undefined;
  };
  readonly pre_tokenizer?: unknown;
  readonly decoder?: unknown;
}

export interface Spelling {
  /**
   * The text of consecutive pieces, with the white space around and between them: `['Ġwonder', 'ful']` is ` wonderful`.
   * A character whose bytes are cut in two is a replacement character (U+FFFD) in each part, and whole in both together.
   */
  read(pieces: readonly string[]): string;
  /** Whether a piece goes on with the word before it; left out where white space and letters alone tell. */
  readonly goesOn?: (piece: string) => boolean;
}

const joined = (read: (piece: string) => string) => (pieces: readonly string[]) => pieces.map(read).join('');

/** Every piece a word: of ids without a tokenizer, and of tokenizers that keep words whole. */
export const wordByWord: Spelling = { read: joined((piece) => ` ${piece}`) };

/** WordPiece: `##ful` goes on with a word, anything else begins one. */
function continued(prefix: string): Spelling {
  const goesOn = (piece: string) => piece.startsWith(prefix) && piece !== prefix;
  return { goesOn, read: joined((piece) => (goesOn(piece) ? piece.slice(prefix.length) : ` ${piece}`)) };
}

/**
 * Bytes by the characters that byte-level tokenizers write them as: printable ones of Latin-1 stand for themselves, the
 * others, in order, for U+0100 and on, so that Ġ is a space and Ċ a new line.
 */
const bytesByCharacter: ReadonlyMap<string, number> = (() => {
  const isPrintable = (byte: number) =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
  let next = 0x100;
  const entries = Array.from({ length: 256 }, (_, byte): [string, number] => [
    String.fromCodePoint(isPrintable(byte) ? byte : next++),
    byte,
  ]);
  return new Map(entries);
})();

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

function bytesIn(piece: string): number[] {
  return [...piece].flatMap((character) => {
    const byte = bytesByCharacter.get(character);
    return byte === undefined ? [...new TextEncoder().encode(character)] : [byte];
  });
}

/** Pieces that are bytes, with what stands for them. */
const ofBytes = (bytesOf: (piece: string) => readonly number[]): Spelling => ({
  read: (pieces) => decoder.decode(Uint8Array.from(pieces.flatMap(bytesOf))),
});

/** Byte-level BPE; of those with a suffix such as `</w>` at the end of each word, a space stands for it. */
const byteLevel = (suffix: string) =>
  ofBytes((piece) =>
    suffix !== '' && piece.endsWith(suffix)
      ? [...bytesIn(piece.slice(0, -suffix.length)), 0x20]
      : bytesIn(piece),
  );

/** SentencePiece: `▁` is a space, `<0xE2>` a byte. */
const sentencePiece = ofBytes((piece) => {
  const [, byte] = /^<0x([0-9A-F]{2})>$/.exec(piece) ?? [];
  if (byte !== undefined) return [Number.parseInt(byte, 16)];
  return [...new TextEncoder().encode(piece.replaceAll('▁', ' '))];
});

/** BPE that ends words with a suffix. */
const suffixed = (suffix: string): Spelling => ({
  read: joined((piece) => (piece.endsWith(suffix) ? `${piece.slice(0, -suffix.length)} ` : piece)),
});

/** Whether a component of that type stands in another, at any depth. */
function holds(component: unknown, type: string): boolean {
  if (typeof component !== 'object' || component === null) return false;
  return (
    (component as { type?: unknown }).type === type ||
    Object.values(component).some((part) => holds(part, type))
  );
}

/** How the pieces of a tokenizer are written. */
export function spellingOf({ model, pre_tokenizer, decoder: decodes }: SpelledModel): Spelling {
  const has = (type: string) => holds(pre_tokenizer, type) || holds(decodes, type);
  const suffix = model.end_of_word_suffix ?? '';
  if (model.type === 'WordPiece') return continued(model.continuing_subword_prefix ?? '##');
  if (has('ByteLevel')) return byteLevel(suffix);
  if (suffix !== '') return suffixed(suffix);
  if (has('Metaspace') || has('ByteFallback') || model.type === 'Unigram') return sentencePiece;
  if ((model.continuing_subword_prefix ?? '') !== '') return continued(model.continuing_subword_prefix!);
  return wordByWord;
}
