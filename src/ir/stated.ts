// Options that are stated: those left out stay left out.

/** The entries of `options` that are not undefined. */
export function stated<Options extends object>(
  options: Options,
): { [Key in keyof Options]?: Exclude<Options[Key], undefined> } {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [Key in keyof Options]?: Exclude<Options[Key], undefined> };
}
