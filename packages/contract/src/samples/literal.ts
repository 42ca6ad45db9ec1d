/** This file owns how a value is laid out as source, on one line when it fits, in the dialect of a language. */

export interface Dialect {
  indent: string;
  /** A string, which may hold `$NAME`s. */
  text(value: string): string;
  /** The name of a member. */
  name(name: string): string;
  /** true, false, null. */
  word(value: boolean | null): string;
  /** What stands inside the braces of an object on one line. */
  padding: '' | ' ';
  /** Whether the last of several lines ends with a comma too. */
  hasTrailingComma: boolean;
}

const WIDTH = 80;

/** `indent` goes before each line but the first. */
export function literal(value: unknown, dialect: Dialect, indent = ''): string {
  const line = flat(value, dialect);
  if (line.length + indent.length <= WIDTH || typeof value !== 'object' || value === null) return line;
  const inner = indent + dialect.indent;
  const isList = Array.isArray(value);
  const members = isList
    ? value.map((each) => literal(each, dialect, inner))
    : Object.entries(value).map(([name, each]) => `${dialect.name(name)}: ${literal(each, dialect, inner)}`);
  const lines = members.map((member) => `${inner}${member}`).join(',\n');
  const body = `\n${lines}${dialect.hasTrailingComma ? ',' : ''}\n${indent}`;
  return isList ? `[${body}]` : `{${body}}`;
}

function flat(value: unknown, dialect: Dialect): string {
  if (typeof value === 'string') return dialect.text(value);
  if (typeof value === 'boolean' || value === null) return dialect.word(value);
  if (Array.isArray(value)) return `[${value.map((each) => flat(each, dialect)).join(', ')}]`;
  if (typeof value !== 'object') return String(value);
  const members = Object.entries(value).map(
    ([name, each]) => `${dialect.name(name)}: ${flat(each, dialect)}`,
  );
  return members.length === 0 ? '{}' : `{${dialect.padding}${members.join(', ')}${dialect.padding}}`;
}
