/** This file owns the samples in Python, with its standard library alone. */
import type { Sample } from '../example.ts';
import { type Dialect, literal } from './literal.ts';
import { KEY_HEADER, KEY_VARIABLE, requestOf, URL_VARIABLE } from './request.ts';

const PYTHON: Dialect = {
  indent: '    ',
  text,
  name: text,
  word: (value) => ({ true: 'True', false: 'False', null: 'None' })[String(value) as 'true'],
  padding: '',
  hasTrailingComma: true,
};

export function pythonOf(sample: Sample): string {
  const { method, target, headers, body, answers, needsKey } = requestOf(sample);
  const sent = { ...(needsKey && { [KEY_HEADER]: `$${KEY_VARIABLE}` }), ...headers };
  const needsJson = body !== undefined || answers === 'json';
  const options = [
    `method="${method}"`,
    ...(Object.keys(sent).length === 0 ? [] : [`headers=${literal(sent, PYTHON, '    ')}`]),
    ...(body === undefined ? [] : [`data=json.dumps(${literal(body, PYTHON, '    ')}).encode()`]),
  ];
  return `${needsJson ? 'import json\n' : ''}import os
import urllib.request

request = urllib.request.Request(
    ${text(`$${URL_VARIABLE}${target}`)},
${options.map((option) => `    ${option},\n`).join('')})
with urllib.request.urlopen(request) as answer:
${READ[answers]}
`;
}

const READ = {
  json: '    print(json.load(answer))',
  text: '    print(answer.read().decode())',
  stream: '    for line in answer:\n        print(line.decode(), end="")',
} as const;

/** Python reads the escapes of JSON's strings as JSON does. */
function text(value: string): string {
  const [whole] = /^\$[A-Z][A-Z_]*$/.exec(value) ?? [];
  if (whole !== undefined) return `os.environ["${whole.slice(1)}"]`;
  const quoted = JSON.stringify(value);
  if (!/\$[A-Z]/.test(value)) return quoted;
  const escaped = quoted.replace(/[{}]/g, '$&$&');
  return `f${escaped.replace(/\$([A-Z][A-Z_]*)/g, "{os.environ['$1']}")}`;
}
