/** This file owns patterns over queue names: a name, or a name with `*` for any characters; a list may leave some out with `!`. */

const PATTERN = /^[A-Za-z0-9_*-]{1,64}$/;

export function isQueuePattern(text: string): boolean {
  return PATTERN.test(text);
}

/** True for a pattern that names one queue. */
export function isPlainName(pattern: string): boolean {
  return !pattern.includes('*');
}

export function matchesQueue(pattern: string, queue: string): boolean {
  if (isPlainName(pattern)) return pattern === queue;
  // Each star takes as little as it can and the last part must end the name: linear, unlike a regular expression.
  const parts = pattern.split('*');
  const [first = ''] = parts;
  const last = parts.at(-1) ?? '';
  if (!queue.startsWith(first) || !queue.endsWith(last) || queue.length < first.length + last.length)
    return false;
  const end = queue.length - last.length;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = queue.indexOf(part, at);
    if (found === -1 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}

/** Whether a list of patterns names this queue, and no `!pattern` in it leaves it out. */
export function servesQueue(patterns: readonly string[], queue: string): boolean {
  const isLeftOut = patterns.some((each) => each.startsWith('!') && matchesQueue(each.slice(1), queue));
  return !isLeftOut && patterns.some((each) => matchesQueue(each, queue));
}
