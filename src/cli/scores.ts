// Scores as reports show them.
import type { View } from './subject.js';

/** Classes that are shown at most, beside those explained. */
const topShown = 5;

/** The classes with the largest scores, best first; then those explained that are not among them. */
export function shownClasses(views: readonly View[]): number[] {
  const { data } = views[0]!.explanation.scores;
  const best = [...data.keys()].sort((a, b) => data[b]! - data[a]!).slice(0, topShown);
  return [...new Set([...best, ...views.map(({ explanation }) => explanation.target)])];
}

/** Four decimals, so that points stand below each other; powers of ten where nothing would be left. */
export const scoreText = (score: number): string =>
  Math.abs(score) >= 1e-4 || score === 0 ? score.toFixed(4) : score.toExponential(1);
