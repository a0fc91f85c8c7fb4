// Names of presets for tests: those that explain values of any network, and those that need attention matrices.
import { presets } from '../src/rules/presets.js';

const named = (needsAttention: boolean) =>
  [...presets.values()]
    .filter(({ attention }) => (attention !== undefined) === needsAttention)
    .map(({ name }) => name);

/** Presets for networks of any kind. */
export const valuePresets = named(false);

/** Attention methods: presets for transformers. */
export const attentionMethods = named(true);
