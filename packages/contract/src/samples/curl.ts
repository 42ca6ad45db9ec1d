/** This file owns the samples for a shell, with curl. */
import type { Sample } from '../example.ts';
import { type Dialect, literal } from './literal.ts';
import { KEY_HEADER, KEY_VARIABLE, requestOf, URL_VARIABLE } from './request.ts';

const JSON_TEXT: Dialect = {
  indent: '  ',
  text: JSON.stringify,
  name: JSON.stringify,
  word: String,
  padding: '',
  hasTrailingComma: false,
};

export function curlOf(sample: Sample): string {
  const { method, target, headers, body, answers, needsKey } = requestOf(sample);
  const options = [
    ...(needsKey ? [`-H "${KEY_HEADER}: $${KEY_VARIABLE}"`] : []),
    ...Object.entries(headers).map(([name, value]) => `-H "${name}: ${value}"`),
    ...(body === undefined ? [] : [`-d ${quoted(body)}`]),
  ];
  const verb = method === 'GET' ? '' : `-X ${method} `;
  const stream = answers === 'stream' ? '-N ' : '';
  return [`curl ${stream}${verb}"$${URL_VARIABLE}${target}"`, ...options].join(' \\\n  ');
}

/** In single quotes, which end where a variable stands. */
function quoted(body: unknown): string {
  const text = literal(body, JSON_TEXT).replaceAll("'", `'\\''`);
  return `'${text.replace(/\$([A-Z][A-Z_]*)/g, `'"$$$1"'`)}'`;
}
