/** This file owns which metrics and labels an expression of PromQL asks for; it does not compute anything. */

export interface Asked {
  metric: string;
  /** Of its matchers. */
  labels: string[];
}

export interface Expression {
  asked: Asked[];
  /** Of `by`, `without`, `on`, `ignoring`, `group_left` … anywhere. */
  grouped: string[];
}

const TOKEN =
  /\s+|#[^\n]*|(?<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)|(?<range>\[[^\]]*\])|(?<number>(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|\d+[smhdwy])+\b)|(?<name>[A-Za-z_:][\w:]*)|(?<sign>=~|!~|!=|==|>=|<=|[-+*/%^(){},=<>@])/giy;
const GROUPING = new Set(['by', 'without', 'on', 'ignoring', 'group_left', 'group_right']);
const OPERATORS = new Set(['and', 'or', 'unless', 'bool', 'offset', 'inf', 'nan']);

/** Throws `SyntaxError` for what is no PromQL as far as its tokens and brackets tell. */
export function readPromql(text: string): Expression {
  const tokens = tokensOf(text);
  const expression: Expression = { asked: [], grouped: [] };
  const open: string[] = [];
  for (let at = 0; at < tokens.length; at += 1) {
    const token = tokens[at] as Token;
    const next = tokens[at + 1]?.text;
    if (token.text === '(') open.push(')');
    else if (token.text === '{') throw new SyntaxError(`a selector without a metric in: ${text}`);
    else if (token.text === ')' && open.pop() !== ')')
      throw new SyntaxError(`a bracket too many in: ${text}`);
    if (token.kind !== 'name' || OPERATORS.has(token.text.toLowerCase())) continue;
    if (GROUPING.has(token.text)) {
      if (next !== '(') continue;
      const end = endOf(tokens, at + 1, ')', text);
      expression.grouped.push(...namesIn(tokens.slice(at + 2, end)));
      at = end;
    } else if (next !== '(' && !(GROUPING.has(next ?? '') && isFunction(tokens, at))) {
      const end = next === '{' ? endOf(tokens, at + 1, '}', text) : at;
      expression.asked.push({ metric: token.text, labels: matchersIn(tokens.slice(at + 2, end), text) });
      at = end;
    }
  }
  if (open.length > 0) throw new SyntaxError(`a bracket is not closed in: ${text}`);
  return expression;
}

interface Token {
  kind: string;
  text: string;
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  for (const match of text.matchAll(TOKEN)) {
    const found = Object.entries(match.groups ?? {}).find(([, value]) => value !== undefined);
    if (found) tokens.push({ kind: found[0], text: found[1] as string });
    at = match.index + match[0].length;
  }
  if (at !== text.length) throw new SyntaxError(`not PromQL from '${text.slice(at, at + 20)}' in: ${text}`);
  return tokens;
}

/** `sum by (a) (…)`: the aggregation's name, its grouping, then its brackets. */
function isFunction(tokens: readonly Token[], at: number): boolean {
  return ['by', 'without'].includes(tokens[at + 1]?.text ?? '');
}

function endOf(tokens: readonly Token[], from: number, bracket: string, text: string): number {
  const end = tokens.findIndex((token, index) => index > from && token.text === bracket);
  if (end < 0) throw new SyntaxError(`'${bracket}' is missing in: ${text}`);
  return end;
}

function namesIn(tokens: readonly Token[]): string[] {
  return tokens.filter(({ kind }) => kind === 'name').map(({ text }) => text);
}

function matchersIn(tokens: readonly Token[], text: string): string[] {
  const names: string[] = [];
  for (let at = 0; at < tokens.length; at += 4) {
    const [name, sign, value, comma] = tokens.slice(at, at + 4);
    const isMatcher =
      name?.kind === 'name' && /^(=|!=|=~|!~)$/.test(sign?.text ?? '') && value?.kind === 'text';
    if (!isMatcher || (comma && comma.text !== ','))
      throw new SyntaxError(`a matcher is malformed in: ${text}`);
    names.push((name as Token).text);
  }
  return names;
}
