export { type AttemptSpan, type RequestSpan, Tracing, type TracingOptions } from './tracing.ts';
