/** This file owns how a JSON log line of the API or the worker reads to a person. */
import { styleText } from 'node:util';

type Style = Parameters<typeof styleText>[0];

const LEVEL_STYLE: Readonly<Record<string, Style>> = {
  fatal: 'red',
  error: 'red',
  warn: 'yellow',
  debug: 'dim',
  trace: 'dim',
};
/** On every line, and of no interest on this machine. */
const LEFT_OUT = ['time', 'level', 'name', 'pid', 'hostname', 'msg'];
const NAME_WIDTH = 6;

/** `12:30:05 api    warn redis away  connection=request`; a line that is no log goes through as it is, behind its name. */
export function renderLogLine(name: string, line: string, options: { isColoured: boolean }): string {
  const paint = (style: Style, text: string) =>
    options.isColoured ? styleText(style, text, { validateStream: false }) : text;
  const record = parseRecord(line);
  if (!record) return `${paint('dim', `         ${name.padEnd(NAME_WIDTH)}`)} ${line}`;
  const level = String(record.level);
  const head = paint('dim', `${clock(record.time)} ${name.padEnd(NAME_WIDTH)}`);
  const style = LEVEL_STYLE[level];
  const text = level === 'info' ? String(record.msg) : `${level} ${String(record.msg)}`;
  const fields = Object.entries(record)
    .filter(([field]) => !LEFT_OUT.includes(field))
    .map(([field, value]) => `${field}=${renderValue(value)}`);
  const tail = fields.length === 0 ? '' : `  ${paint('dim', fields.join(' '))}`;
  return `${head} ${style ? paint(style, text) : text}${tail}`;
}

function parseRecord(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const record = JSON.parse(line) as Record<string, unknown>;
    return typeof record.msg === 'string' ? record : undefined;
  } catch {
    // Not JSON after all.
    return undefined;
  }
}

function clock(time: unknown): string {
  const at = new Date(String(time));
  return Number.isNaN(at.getTime()) ? '        ' : at.toTimeString().slice(0, 8);
}

/** An error reads as its message; its stack is in the raw log (`--json`). */
function renderValue(value: unknown): string {
  if (typeof value === 'string') return /^[\w.:/@-]+$/.test(value) ? value : JSON.stringify(value);
  if (typeof value === 'object' && value !== null && 'message' in value) return JSON.stringify(value.message);
  return JSON.stringify(value) ?? 'undefined';
}
