/** This file owns HTML as text: a tag that escapes whatever is put into it, and the document around every page. */
import type { ConsoleAssets } from './assets.ts';

/** Markup that is safe to send. Only `html` makes it. */
export class Html {
  readonly #text: string;

  constructor(text: string, maker: typeof MAKER) {
    if (maker !== MAKER) throw new TypeError('markup is made by the tag html');
    this.#text = text;
  }

  toString(): string {
    return this.#text;
  }
}

const MAKER = Symbol('html');

/** What may stand in `${}`: text and numbers are escaped, nothing stands for what is absent, lists are joined. */
export type Insert = Html | string | number | null | undefined | false | readonly Insert[];

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Attribute values stand in quotes; nothing else makes `${}` safe there. */
export function html(parts: TemplateStringsArray, ...inserts: Insert[]): Html {
  let text = parts[0] ?? '';
  for (const [index, insert] of inserts.entries()) text += textOf(insert) + parts[index + 1];
  return new Html(text, MAKER);
}

export function documentOf(options: { title: string; assets: ConsoleAssets; body: Html }): Html {
  const { title, assets, body } = options;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta name="color-scheme" content="light dark">
<title>${title} · Sluice</title>
<link rel="stylesheet" href="${assets.path('console.css')}">
<link rel="icon" href="${assets.path('icon.svg')}" type="image/svg+xml">
<script src="${assets.path('console.js')}" defer></script>
</head>
${body}
</html>
`;
}

function textOf(insert: Insert): string {
  if (insert === null || insert === undefined || insert === false) return '';
  if (insert instanceof Html) return insert.toString();
  if (Array.isArray(insert)) return insert.map(textOf).join('');
  return visible(String(insert)).replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}

/** Letters that turn a line round or cannot be seen are told by their code, so that a name cannot look like another. */
function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Cs}\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/gu, (character) =>
    character === '\n' || character === '\t'
      ? character
      : `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`,
  );
}
