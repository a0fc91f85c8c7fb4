// Markup: a template whose texts are escaped.

/** Markup, as it is. */
export class Html {
  constructor(readonly markup: string) {}
}

type Part = string | number | Html | readonly Html[];

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text as markup; what steers a terminal and is no white space becomes a replacement character. */
const escaped = (text: string): string =>
  text
    .replaceAll(/[&<>"']/g, (character) => entities[character]!)
    .replaceAll(/(?![\t\n\r])\p{Cc}/gu, '\uFFFD');

function markupOf(part: Part): string {
  if (part instanceof Html) return part.markup;
  if (typeof part === 'string' || typeof part === 'number') return escaped(String(part));
  return part.map(({ markup }) => markup).join('');
}

/** `html` before a template: its values are escaped, but for those that are markup themselves. */
export function html(texts: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return new Html(
    texts.map((text, index) => text + (index < parts.length ? markupOf(parts[index]!) : '')).join(''),
  );
}

/** Markup, or nothing. */
export const when = (condition: boolean, markup: () => Html): Html => (condition ? markup() : new Html(''));
