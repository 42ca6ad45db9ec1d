import type { JobDefinition } from '../../src/define.ts';

declare const job: JobDefinition;
export default job;
