// Shares as people read them.

/** `97.3 %`, and `0.016 %` where one decimal would hide it; a dash for what is no number. */
export function percent(share: number): string {
  if (!Number.isFinite(share)) return '–';
  const value = 100 * share;
  return `${Math.abs(value) >= 0.1 || value === 0 ? value.toFixed(1) : Number(value.toPrecision(2))} %`;
}
