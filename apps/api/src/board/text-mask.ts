/** This file owns how a free text is shown: secrets in it masked, unseen characters made visible, its end cut off. */

export const MASK = '[redacted]';

/** Shorter values are words of the language as often as secrets. */
export const SHORTEST_KNOWN_SECRET = 4;
/** A longer secret is recognised by its beginning, and the whole text that holds it is masked. */
const LONGEST_KNOWN_SECRET = 1_024;

/** Secrets that no name announces. Each rule masks its group `secret`; none backtracks further than its bounds. */
const SHAPES: readonly RegExp[] = [
  /\b(?:bearer|basic)\s{1,4}(?<secret>[\w.~+/=-]{8,})/dgi,
  // user:password@ of a URL
  /:\/\/(?<secret>[^\s/@"'<>]{1,256})@/dg,
  /\b(?<secret>sk_[0-9A-Za-z_]{20,})/dg,
  // JSON Web Token, RFC 7519
  /\b(?<secret>eyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)?)/dg,
  /(?<secret>-----BEGIN[^-]{0,40}PRIVATE KEY-----[\s\S]*?(?:-----END[^-]{0,40}-----|$))/dg,
];

/** Control characters but tab and line breaks, and those that turn the direction of what stands around them. */
const UNSEEN = /(?![\t\n\r])[\p{Cc}\p{Bidi_Control}]/gu;

/** A value: `Bearer x`, then JSON inside JSON, a JSON string, a quoted string, one word. Not the 12:3 of `auth.js:12:3`. */
const VALUE = String.raw`(?!\d{1,6}:\d{1,6}\b)(?:(?:bearer|basic)\s{1,4}[^\s"',;]+|\\+"[^"]*"?[^\s,;}\]]*|"(?:[^"\\]|\\.)*"?|'[^']*'?|[^\s,;&"'<>)}\]]+)`;

export class TextMask {
  readonly #rules: readonly RegExp[];

  /** `words` begin the names whose values are masked: `password=x`, `"api_key": "x"`, `Set-Cookie: x`. */
  constructor(words: readonly string[]) {
    const names = words.map(escapePattern).join('|');
    const separator = String.raw`\\{0,4}["']?\s{0,4}(?:=>|[:=])\s{0,4}`;
    const assignment = new RegExp(String.raw`(?:${names})[\w.-]{0,64}${separator}(?<secret>${VALUE})`, 'dgi');
    this.#rules = names === '' ? SHAPES : [assignment, ...SHAPES];
  }

  /** The first `maxCharacters` of `text`, with these secrets and those of a known shape masked; the rest is counted at the end. */
  show(text: string, secrets: readonly string[], maxCharacters: number): string {
    // Read beyond the cut, so that a secret which straddles it is still recognised.
    const window = text.slice(0, maxCharacters + LONGEST_KNOWN_SECRET);
    const ranges = this.#ranges(window, secrets);
    if (ranges === 'all') return MASK;
    const end = Math.min(text.length, maxCharacters);
    let shown = '';
    let from = 0;
    for (const [start, stop] of ranges) {
      if (start >= end) break;
      if (stop <= from) continue;
      if (start >= from) shown += window.slice(from, start) + MASK;
      from = stop;
    }
    if (from < end) shown += window.slice(from, end);
    shown = shown.replace(UNSEEN, escapeCharacter);
    return text.length > end ? `${shown}… [${text.length - end} more characters]` : shown;
  }

  /** Stretches to mask, by their start. */
  #ranges(text: string, secrets: readonly string[]): [number, number][] | 'all' {
    const ranges: [number, number][] = [];
    for (const secret of secrets) {
      if (secret.length > LONGEST_KNOWN_SECRET) {
        if (text.includes(secret.slice(0, LONGEST_KNOWN_SECRET))) return 'all';
        continue;
      }
      for (let at = text.indexOf(secret); at !== -1; at = text.indexOf(secret, at + secret.length)) {
        ranges.push([at, at + secret.length]);
      }
    }
    for (const rule of this.#rules) {
      for (const match of text.matchAll(rule)) {
        const range = match.indices?.groups?.secret;
        if (range) ranges.push(range);
      }
    }
    return ranges.sort(([a], [b]) => a - b);
  }
}

/** `\u202e` in place of the character, so that a text cannot pass itself off as another. */
function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

export function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, String.raw`\$&`);
}
