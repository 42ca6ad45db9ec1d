/** This file owns the form of a cache service, in the published page's words: its fields, and the record they stand for. */
import { type Html, html, type Insert } from './html.ts';
import { field } from './parts.ts';

export const KINDS = { cache_redis: 'Redis', cache_local: 'Local files' } as const;
export type Kind = keyof typeof KINDS;

export function isKind(text: string | null): text is Kind {
  return text !== null && Object.hasOwn(KINDS, text);
}

/** What stands in the fields, as text. A password is never among them. */
export type FormValues = Readonly<Record<string, string>>;

interface Field {
  name: string;
  label: string;
  placeholder?: string;
  hint?: string;
  type?: 'text' | 'password';
  mode?: 'numeric';
}

const NAME: Field = {
  name: 'name',
  label: 'Name',
  placeholder: 'redis',
  hint: 'In the address of its keys: 1 to 40 letters, digits, hyphens, underscores.',
};
const DETAILS: readonly Field[] = [
  { name: 'label', label: 'Label', placeholder: 'Redis Cache' },
  { name: 'description', label: 'Description', placeholder: 'Application cache service' },
];
const CONNECTION: readonly Field[] = [
  { name: 'host', label: 'Host', placeholder: '127.0.0.1' },
  { name: 'port', label: 'Port', placeholder: '6379', mode: 'numeric' },
  { name: 'username', label: 'User', hint: 'Of Redis ACL; most have none.' },
  { name: 'password', label: 'Password', type: 'password' },
  { name: 'database_index', label: 'Database Index', placeholder: '0', hint: '0 to 15.', mode: 'numeric' },
];
const DEFAULT_TTL: Field = {
  name: 'default_ttl',
  label: 'Default TTL',
  placeholder: '300',
  hint: 'Minutes before cached values expire; 0 keeps them for ever.',
  mode: 'numeric',
};

/** `isNew`: it has no name yet. `hasPassword`: one is stored, which an empty field keeps. */
export function serviceFields(options: {
  kind: Kind;
  values: FormValues;
  isNew: boolean;
  hasPassword: boolean;
}): Html {
  const { kind, values, isNew, hasPassword } = options;
  const control = (each: Field): Html => {
    const isSecret = each.type === 'password';
    const value = isSecret ? '' : (values[each.name] ?? '');
    const placeholder = isSecret && hasPassword ? 'stored; type to replace it' : (each.placeholder ?? '');
    return field({
      name: each.name,
      label: each.label,
      ...(each.hint !== undefined && { hint: each.hint }),
      control: html`<input id="${each.name}" name="${each.name}" type="${each.type ?? 'text'}" value="${value}" placeholder="${placeholder}" autocomplete="${isSecret ? 'new-password' : 'off'}"${each.mode && html` inputmode="${each.mode}"`}>`,
    });
  };
  const group = (legend: string, fields: readonly Field[]): Insert =>
    html`<fieldset><legend>${legend}</legend>${fields.map(control)}</fieldset>`;
  return html`${group('Service Details', isNew ? [NAME, ...DETAILS] : DETAILS)}
${group(kind === 'cache_redis' ? 'Connection' : 'Values', connectionOf(kind))}`;
}

/** What a form says, as the body of a record to be: an empty field says nothing. */
export function serviceBody(kind: Kind, form: URLSearchParams): Record<string, unknown> {
  return bodyOf(kind, form, (value) => value !== null);
}

/** What a form changes of a record: an empty field takes away what stood there, but for the password. */
export function serviceChanges(kind: Kind, form: URLSearchParams): Record<string, unknown> {
  const { type: _, ...changes } = bodyOf(
    kind,
    form,
    (value, { type }) => value !== null || type !== 'password',
  );
  return changes;
}

function bodyOf(
  kind: Kind,
  form: URLSearchParams,
  isSaid: (value: unknown, field: Field) => boolean,
): { type: Kind } & Record<string, unknown> {
  const said = (fields: readonly Field[]) =>
    Object.fromEntries(
      fields
        .filter(({ name }) => form.has(name))
        .map((each): [Field, unknown] => [each, fieldValue(each, form)])
        .filter(([each, value]) => isSaid(value, each))
        .map(([{ name }, value]) => [name, value]),
    );
  return { ...said([NAME, ...DETAILS]), type: kind, config: said(connectionOf(kind)) };
}

function connectionOf(kind: Kind): readonly Field[] {
  return kind === 'cache_redis' ? [...CONNECTION, DEFAULT_TTL] : [DEFAULT_TTL];
}

/** `null` for an empty field. A text that is no number stays one: the rules of the record say what is wrong with it. */
function fieldValue({ name, type, mode }: Field, form: URLSearchParams): string | number | null {
  // A password may begin with a blank.
  const text = type === 'password' ? (form.get(name) ?? '') : (form.get(name) ?? '').trim();
  if (text === '') return null;
  return mode === 'numeric' && /^-?\d{1,15}$/.test(text) ? Number(text) : text;
}

/** What is to stand in the fields again, without the password. */
export function valuesOf(form: URLSearchParams): FormValues {
  return Object.fromEntries([...form].filter(([name]) => name !== 'password'));
}
