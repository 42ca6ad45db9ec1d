/** This file owns a server before the API, which refuses, breaks off, or lets through. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import type { TestContext } from 'vitest';

export interface Refusal {
  status: number;
  reason: string;
  message: string;
}

/** `break`: the connection is cut after the first byte of the answer, when the API has done what was asked. `undefined`: what the API answers. */
export type Decide = (request: { method: string; path: string }) => Refusal | 'break' | undefined;

/** Answers its address; it is closed when the test ends. */
export async function serverBefore(t: TestContext, apiUrl: string, decide: Decide): Promise<string> {
  const server = createServer((request, response) => {
    const decision = decide({ method: request.method ?? 'GET', path: request.url ?? '/' });
    if (decision === undefined || decision === 'break') {
      pass({ apiUrl, request, response, isBroken: decision === 'break' }).catch(() => response.destroy());
    } else refuse(response, decision);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function refuse(response: ServerResponse, { status, reason, message }: Refusal): void {
  const error = { code: status, status_code: status, message, context: { reason, request_id: 'r' } };
  response.writeHead(status, { 'Content-Type': 'application/json', 'X-Request-Id': 'r' });
  response.end(JSON.stringify({ error }));
}

async function pass({
  apiUrl,
  request,
  response,
  isBroken,
}: {
  apiUrl: string;
  request: IncomingMessage;
  response: ServerResponse;
  isBroken: boolean;
}): Promise<void> {
  const answer = await fetch(`${apiUrl}${request.url}`, await asked(request));
  response.writeHead(answer.status, {
    'Content-Type': answer.headers.get('content-type') ?? 'application/json',
    'X-Request-Id': answer.headers.get('x-request-id') ?? '',
  });
  if (!answer.body) return void response.end();
  const body = Readable.fromWeb(answer.body as ReadableStream);
  body.once('error', () => response.destroy());
  response.once('close', () => body.destroy());
  if (isBroken) body.once('data', () => response.write(' ', () => response.destroy()));
  else body.pipe(response);
}

async function asked(request: IncomingMessage): Promise<RequestInit> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const { 'content-type': type, 'x-dreamfactory-api-key': key, 'last-event-id': last } = request.headers;
  return {
    method: request.method as string,
    headers: {
      ...(type && { 'Content-Type': type }),
      ...(key && { 'X-DreamFactory-API-Key': key as string }),
      ...(last && { 'Last-Event-ID': last as string }),
    },
    ...(chunks.length > 0 && { body: Buffer.concat(chunks) }),
  };
}
