/** This file owns reading a request's body: bounded, decoded strictly, a caller's own values carried as text. */
import { isUtf8 } from 'node:buffer';
import type { BodyDeclaration, ErrorCode } from '@sluice/contract';
import { DomainError, JsonText, jsonDepth, jsonElements, jsonMembers } from '@sluice/runtime';

/** Deeper values cannot be written again by JavaScript's own JSON.stringify, which the board and processors use. */
export const MAX_JSON_DEPTH = 1_000;

/** The most a body may hold, and what it is called when it holds more. */
export interface BodyBound {
  bytes: number;
  code: 'body_too_large' | 'quota_payload_exceeded';
}

export interface Body {
  /** What the schema sees: parsed JSON in which carried members are `JsonText`, or a string for `text/*`. */
  value: unknown;
  /** The body as it came. */
  text: string;
}

export interface BodySource {
  header(name: string): string | undefined;
  /** Empty when there is none; `undefined` when it has more than `maxBytes`. */
  body(maxBytes: number): Promise<Buffer | undefined>;
}

/** The body of a request, or `undefined` when there is none and the route does not need one. */
export async function readBody(
  request: BodySource,
  declared: BodyDeclaration,
  { bytes: maxBytes, code }: BodyBound,
): Promise<Body | undefined> {
  const kind = mediaKind(request.header('content-type'));
  const bytes = await request.body(maxBytes);
  if (bytes === undefined) throw tooLarge(maxBytes, code);
  const text = decode(bytes);
  if (text === '' && declared.isOptional) return undefined;
  if (kind === 'text' && declared.acceptsText) return { value: text, text };
  if (kind !== 'json') {
    throw new DomainError<ErrorCode>(
      'content_type_unsupported',
      'Send the body as JSON, with the header Content-Type: application/json.',
    );
  }
  return { value: carry(parse(text), text, declared.carried ?? []), text };
}

function mediaKind(contentType: string | undefined): 'json' | 'text' | 'other' {
  if (contentType === 'application/json') return 'json';
  const type = contentType?.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (type === 'application/json' || type.endsWith('+json')) return 'json';
  return type.startsWith('text/') ? 'text' : 'other';
}

function tooLarge(maxBytes: number, code: BodyBound['code']): DomainError<ErrorCode> {
  const whose = code === 'quota_payload_exceeded' ? ', the quota of this key' : '';
  return new DomainError(code, `The body is larger than ${maxBytes} bytes${whose}.`, {
    details: { max_bytes: maxBytes },
  });
}

function decode(bytes: Buffer): string {
  if (!isUtf8(bytes))
    throw new DomainError<ErrorCode>('json_invalid', 'Invalid JSON: the body is not UTF-8.');
  return bytes.toString('utf8');
}

function parse(text: string): unknown {
  // Counted before the parser, which would not mind: what follows it would.
  if (text.length > 2 * MAX_JSON_DEPTH && jsonDepth(text) > MAX_JSON_DEPTH) {
    throw new DomainError<ErrorCode>(
      'json_invalid',
      `Invalid JSON: nested deeper than ${MAX_JSON_DEPTH} levels.`,
    );
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    // V8's message quotes the body, which may hold a secret.
    throw new DomainError<ErrorCode>(
      'json_invalid',
      text === '' ? 'Invalid JSON: the body is empty.' : 'Invalid JSON.',
      { cause },
    );
  }
}

/** Puts `JsonText` in the place of carried members: at the top, in each item of `resource`, in each item of a bare list. */
function carry(value: unknown, text: string, names: readonly string[]): unknown {
  if (names.length === 0 || typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    const items = jsonElements(text);
    return value.map((item, index) => carryMembers(item, items[index] as string, names));
  }
  const object = value as Record<string, unknown>;
  if (!Array.isArray(object.resource)) return carryMembers(value, text, names);
  const resource = jsonMembers(text).findLast(({ name }) => name === 'resource');
  return { ...object, resource: carry(object.resource, resource?.text ?? '[]', names) };
}

function carryMembers(item: unknown, text: string, names: readonly string[]): unknown {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) return item;
  const carried = item as Record<string, unknown>;
  for (const member of jsonMembers(text)) {
    if (names.includes(member.name)) carried[member.name] = new JsonText(member.text);
  }
  return carried;
}
