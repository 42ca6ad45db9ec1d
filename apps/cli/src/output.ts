/** This file owns how answers are written: lines and tables for people, JSON for programs. */
import { jsonElements, jsonMembers } from '@sluice/runtime';
import { table } from './table.ts';
import type { Terminal } from './terminal.ts';

/** Wider cells hide the columns behind them. */
const MAX_CELL = 60;
/** What moves the cursor, colours, or worse, when a terminal shows it: other people's texts are full of surprises. */
const CONTROL = /[\p{Cc}\u2028\u2029]/gu;
const UNITS = [
  { ms: 86_400_000, name: 'd' },
  { ms: 3_600_000, name: 'h' },
  { ms: 60_000, name: 'm' },
  { ms: 1_000, name: 's' },
] as const;

export function print(terminal: Terminal, lines: readonly string[]): void {
  if (lines.length > 0) terminal.out(`${lines.join('\n')}\n`);
}

/** A table with its headings, or `empty` when it has no rows. Cells are made safe to show, and cut where they are long. */
export function printTable(
  terminal: Terminal,
  headings: readonly string[],
  rows: readonly (readonly string[])[],
  empty: string,
): void {
  const cells = rows.map((row) => row.map((cell) => shortened(visible(cell), MAX_CELL)));
  print(terminal, rows.length === 0 ? [empty] : table(headings, cells));
}

/** Names and what they are, one a line; those without a value are left out. */
export function printFacts(terminal: Terminal, facts: readonly [name: string, value: string | null][]): void {
  const width = Math.max(...facts.map(([name]) => name.length));
  print(
    terminal,
    facts.flatMap(([name, value]) =>
      value === null ? [] : [`${name.padEnd(width)}  ${visible(value)}`.trimEnd()],
    ),
  );
}

/** One line, whatever is in it: what would steer a terminal is shown as `\u001b`. */
export function visible(text: string): string {
  return text.replace(CONTROL, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

export function shortened(text: string, maxCharacters: number): string {
  const characters = [...text];
  return characters.length <= maxCharacters ? text : `${characters.slice(0, maxCharacters - 1).join('')}…`;
}

/** `2027-01-31 12:00:05Z`; nothing for nothing. */
export function instant(text: string | null): string | null {
  return text === null ? null : text.replace('T', ' ').replace(/\.\d+Z$/, 'Z');
}

/** `850ms`, `12s`, `3m`, `2h`, `5d`: the largest unit that it fills. */
export function length(ms: number): string {
  const unit = UNITS.find((each) => ms >= each.ms);
  return unit ? `${Math.floor(ms / unit.ms)}${unit.name}` : `${ms}ms`;
}

/** `1 job`, `12,500 jobs`. */
export function counted(count: number, noun: string): string {
  return `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`;
}

/** A member of a JSON object's text as its own text; the last one when it is repeated, as `JSON.parse` has it. */
export function memberText(objectText: string, name: string): string | undefined {
  return jsonMembers(objectText).findLast((member) => member.name === name)?.text;
}

/** The items under `resource` in an answer, each as its own text. */
export function resourceTexts(answerText: string): string[] {
  return jsonElements(memberText(answerText, 'resource') ?? '[]');
}
