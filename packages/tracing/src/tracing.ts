/**
 * This file owns traces: the only OpenTelemetry of the house. Where they go, how many, and what the process is called beside
 * its name is said by the standard variables (`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_TRACES_SAMPLER`, `OTEL_RESOURCE_ATTRIBUTES`,
 * …), which the SDK reads itself.
 *
 *   caller's traceparent -> span of the request -> job's options (`tm`, as BullMQ has it) -> span of each attempt -> processor
 */
import {
  type Context,
  context,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from '@opentelemetry/resources';
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node';

export interface TracingOptions {
  /** `sluice-api`; OTEL_SERVICE_NAME stands above it. */
  name: string;
  version: string;
}

/** A request as its span tells it (OpenTelemetry's semantic conventions of HTTP servers). */
export interface RequestSpan {
  method: string;
  /** The template, never the path as it came: that holds keys. */
  route: string;
  operation: string;
  /** By its lower-case name. */
  header(name: string): string | undefined;
  /** Of the answer, once it is given. */
  status(): number;
}

export interface AttemptSpan {
  queue: string;
  /** Of the job. */
  name: string;
  jobId: string;
  attempt: number;
  /** What `carrier` said where it was enqueued; `undefined`: nothing, the attempt begins a trace. */
  carrier: string | undefined;
}

const HEADERS = ['traceparent', 'tracestate', 'baggage'] as const;
/** A collector that is away must not hold a stop up. */
const FLUSH_MS = 2_000;

export class Tracing {
  readonly name = 'traces';
  readonly #provider: NodeTracerProvider;
  readonly #tracer: Tracer;

  /** Becomes the process's own, so that what a processor traces itself is of the same trace. */
  constructor({ name, version }: TracingOptions) {
    const own = resourceFromAttributes({ 'service.name': name, 'service.version': version });
    const told = detectResources({ detectors: [envDetector] });
    this.#provider = new NodeTracerProvider({
      resource: defaultResource().merge(own).merge(told),
      spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
    });
    this.#provider.register();
    this.#tracer = trace.getTracer('sluice', version);
  }

  /** Runs `work` within the span of a request, which ends when it settles. */
  request<T>(request: RequestSpan, work: () => Promise<T>): Promise<T> {
    const carrier: Record<string, string> = {};
    for (const name of HEADERS) {
      const value = request.header(name);
      if (value !== undefined) carrier[name] = value;
    }
    const parent = propagation.extract(ROOT_CONTEXT, carrier);
    const span = this.#tracer.startSpan(
      `${request.method} ${request.route}`,
      {
        kind: SpanKind.SERVER,
        attributes: {
          'http.request.method': request.method,
          'http.route': request.route,
          'sluice.operation': request.operation,
        },
      },
      parent,
    );
    return context.with(trace.setSpan(parent, span), () =>
      work().finally(() => {
        const status = request.status();
        span.setAttribute('http.response.status_code', status);
        if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
        span.end();
      }),
    );
  }

  /** What a job carries so that its attempts are of the trace that runs now, as bullmq-otel writes it; `undefined` in none. */
  carrier(): string | undefined {
    const active = context.active();
    if (!trace.getSpanContext(active)) return undefined;
    const carrier: Record<string, string> = {};
    propagation.inject(active, carrier);
    return JSON.stringify(carrier);
  }

  /** Runs `work` within the span of an attempt; `outcomeOf` says what came of it. */
  attempt<T>(attempt: AttemptSpan, work: () => Promise<T>, outcomeOf: (result: T) => string): Promise<T> {
    const parent = contextOf(attempt.carrier);
    const span = this.#tracer.startSpan(
      `process ${attempt.queue}`,
      {
        kind: SpanKind.CONSUMER,
        attributes: {
          'messaging.system': 'bullmq',
          'messaging.operation.type': 'process',
          'messaging.destination.name': attempt.queue,
          'messaging.message.id': attempt.jobId,
          'sluice.job.name': attempt.name,
          'sluice.job.attempt': attempt.attempt,
        },
      },
      parent,
    );
    return context.with(trace.setSpan(parent, span), async () => {
      try {
        const result = await work();
        const outcome = outcomeOf(result);
        span.setAttribute('sluice.job.outcome', outcome);
        if (outcome === 'retry' || outcome === 'delay' || outcome === 'fail')
          span.setStatus({ code: SpanStatusCode.ERROR });
        return result;
      } finally {
        span.end();
      }
    });
  }

  /** Sends what is left, within two seconds. */
  async stop(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, FLUSH_MS);
    });
    // A collector that refuses is no reason to stop otherwise.
    await Promise.race([this.#provider.shutdown().catch(() => undefined), tooLate]);
    clearTimeout(timer);
  }
}

/** Of a job's options, which others may have written. */
function contextOf(carrier: string | undefined): Context {
  if (carrier === undefined) return ROOT_CONTEXT;
  try {
    const fields: unknown = JSON.parse(carrier);
    return typeof fields === 'object' && fields !== null
      ? propagation.extract(ROOT_CONTEXT, fields)
      : ROOT_CONTEXT;
  } catch {
    return ROOT_CONTEXT;
  }
}
