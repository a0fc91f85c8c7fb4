// The tokens and words of a text with their relevance, for machines.
import type { TokenText } from './open.js';
import type { Panel } from './panels.js';

/** Fields of an explanation's report: every token, and the words that they make, `tokens` of each its indices. */
export function panelJson(panel: Panel, { tokens: known, padding }: TokenText) {
  return {
    tokens: known.map(({ piece, id, special }, index) => ({
      ...{ text: piece, id, special },
      relevance: panel.tokens[index]!,
    })),
    words: panel.words.map(({ text, tokens, special, relevance }) => ({ text, tokens, special, relevance })),
    ...(padding > 0 ? { padding: { tokens: padding, relevance: panel.padding } } : {}),
  };
}
