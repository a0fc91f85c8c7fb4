// The causes for which relevance gets lost, by name.

/** Why relevance that arrives at a node does not leave it. Amounts may be negative: relevance that was added. */
export const causes = {
  biases: 'the share of biases, which are no inputs',
  ε: 'what the stabiliser of a denominator keeps',
  'zero denominators': 'neurons whose denominator is exactly 0',
  'one-signed neurons': 'neurons without contributions of the sign that a rule distributes to',
  'constant operands': 'the share of constants: terms of sums, parts of concatenations, padding',
  'stopped branches': 'the share of active values that lead to nothing that is explained',
  renormalisation: 'sums that are shared out anew by absolute values',
  'repeated shares': 'operands or halves that each receive all of the relevance',
  'softmax expansion': 'the constant in the Taylor expansion of a softmax at its scores',
  'non-linearities': 'the part of an op that is not linear in its input',
  'cut relevance': 'negative relevance that is set to 0 at an activation',
  'inactive neurons':
    'relevance that a derivative of 0 stops at an activation, or that passes it all the same',
  'custom rules': 'what a rule of the user’s own says that it loses',
} as const;

export type Cause = keyof typeof causes;
