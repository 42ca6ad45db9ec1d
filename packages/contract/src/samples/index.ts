/** This file owns the samples of a route in every language, as the `x-codeSamples` of the OpenAPI document has them. */
import type { Sample } from '../example.ts';
import { curlOf } from './curl.ts';
import { pythonOf } from './python.ts';
import { typescriptOf } from './typescript.ts';

export interface CodeSample {
  /** For highlighters. */
  lang: 'shell' | 'typescript' | 'python';
  label: string;
  source: string;
}

export function codeSamplesOf(sample: Sample): CodeSample[] {
  return [
    { lang: 'shell', label: 'curl', source: curlOf(sample) },
    { lang: 'typescript', label: 'TypeScript', source: typescriptOf(sample) },
    { lang: 'python', label: 'Python', source: pythonOf(sample) },
  ];
}
