/** This file owns the samples in TypeScript, with the typed client; streams and texts, which it does not read, with `fetch`. */
import type { Sample } from '../example.ts';
import { type Dialect, literal } from './literal.ts';
import { KEY_HEADER, KEY_VARIABLE, requestOf, type SampleRequest, URL_VARIABLE } from './request.ts';

/** Where a reader's program imports the client from. */
const CLIENT_PACKAGE = '@sluice/contract';
const WIDTH = 100;

const TYPESCRIPT: Dialect = {
  indent: '  ',
  text,
  name: (name) => (/^[A-Za-z_]\w*$/.test(name) ? name : text(name)),
  word: String,
  padding: ' ',
  hasTrailingComma: true,
};

export function typescriptOf(sample: Sample): string {
  const request = requestOf(sample);
  if (request.answers !== 'json') return fetched(request);
  const { params, query, headers, body } = sample.example;
  const parts = Object.entries({ params, query, headers, body }).filter(
    ([name, part]) => part !== undefined && (name === 'body' || Object.keys(part ?? {}).length > 0),
  );
  const given = parts.length === 0 ? '' : literal(Object.fromEntries(parts), TYPESCRIPT);
  return `${importOf('env', 'node:process')}
${importOf('createClient, routes', CLIENT_PACKAGE)}

${environment(request)}
const sluice = createClient(routes, { baseUrl: ${URL_VARIABLE}, apiKey: ${KEY_VARIABLE} });

const answer = await sluice.${sample.declaration.id}(${given});
console.log(answer);
`;
}

function fetched(request: SampleRequest): string {
  const { target, needsKey, answers } = request;
  const headers = { ...(needsKey && { [KEY_HEADER]: `$${KEY_VARIABLE}` }), ...request.headers };
  return `${importOf(answers === 'text' ? 'env' : 'env, stdout', 'node:process')}

${environment(request)}

const answer = await fetch(\`\${${URL_VARIABLE}}${inTemplate(target)}\`, {
  headers: ${literal(headers, TYPESCRIPT, '  ')},
});
${
  answers === 'text'
    ? 'console.log(await answer.text());'
    : `const text = new TextDecoder();
for await (const chunk of answer.body ?? []) stdout.write(text.decode(chunk, { stream: true }));`
}
`;
}

function importOf(names: string, from: string): string {
  return `import { ${names} } from ${text(from)};`;
}

function environment({ variables }: SampleRequest): string {
  const names = [
    `${URL_VARIABLE} = 'http://localhost:8080'`,
    ...[KEY_VARIABLE, ...variables].map((name) => `${name} = ''`),
  ];
  const line = `const { ${names.join(', ')} } = env;`;
  if (line.length <= WIDTH) return line;
  return `const {\n${names.map((name) => `  ${name},\n`).join('')}} = env;`;
}

function text(value: string): string {
  const [whole] = /^\$[A-Z][A-Z_]*$/.exec(value) ?? [];
  if (whole !== undefined) return whole.slice(1);
  if (/\$[A-Z]/.test(value)) return `\`${inTemplate(value)}\``;
  return `'${JSON.stringify(value).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`;
}

function inTemplate(value: string): string {
  return value.replace(/[`\\]/g, '\\$&').replace(/\$([A-Z][A-Z_]*)/g, '$${$1}');
}
