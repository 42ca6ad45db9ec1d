/** This file owns patterns in which `*` stands for any letters, none included. */

export interface Glob {
  readonly pattern: string;
  /** Letters that are not `*`: of two patterns that fit, the one with more of them says more. */
  readonly letters: number;
  /** Takes time in proportion to `text`, whatever the pattern. */
  fits(text: string): boolean;
}

export function glob(pattern: string): Glob {
  const parts = pattern.split('*');
  const letters = pattern.length - (parts.length - 1);
  if (parts.length === 1) return { pattern, letters, fits: (text) => text === pattern };
  const first = parts[0] ?? '';
  const last = parts.at(-1) ?? '';
  const middle = parts.slice(1, -1);
  const fits = (text: string) => {
    if (text.length < letters || !text.startsWith(first) || !text.endsWith(last)) return false;
    const end = text.length - last.length;
    let at = first.length;
    for (const part of middle) {
      const found = text.indexOf(part, at);
      if (found === -1 || found + part.length > end) return false;
      at = found + part.length;
    }
    return at <= end;
  };
  return { pattern, letters, fits };
}
