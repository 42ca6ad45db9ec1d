/** This file owns the records of one kind as operators see them: made, changed, removed, each checked first and told in the trail. */
import { DomainError } from '@sluice/runtime';
import type { Change, Registry, StoredRecord } from './registry.ts';
import { MAX_RECORD_BYTES } from './registry.ts';
import { type Authorship, MAX_BATCH_RECORDS, type RecordKind, type SystemErrorCode } from './schemas.ts';

export interface Issue {
  path: string;
  message: string;
}

/** What the records of a kind are. `Body` is what is stored. */
export interface Recorded<Body> {
  kind: RecordKind;
  /** A thing of the kind for a person, `cache service`. */
  noun: string;
  /** What a caller gave, as it would be stored; or everything that is wrong with it. */
  read(given: unknown): { name: string; body: Body } | { issues: Issue[] };
  /** A record without its secrets. */
  told(body: Body): unknown;
}

/** Records that the caller wants unchanged since: the version he saw. `undefined`: whatever it is. */
export interface Expectation {
  version?: number | undefined;
}

/** Rounds against others who change the same record; each takes a round trip. */
const MAX_ROUNDS = 5;

export class Book<Body> {
  readonly #registry: Registry;
  readonly #recorded: Recorded<Body>;
  readonly #configured: ReadonlySet<string>;

  /** `configured` names what the configuration holds: it stands, and no record has such a name. */
  constructor(options: { registry: Registry; recorded: Recorded<Body>; configured: readonly string[] }) {
    this.#registry = options.registry;
    this.#recorded = options.recorded;
    this.#configured = new Set(options.configured);
  }

  /** As Redis holds it now. Throws `record_unknown`, `version_mismatch`. */
  async get(name: string, { version }: Expectation = {}): Promise<StoredRecord> {
    const { kind, noun } = this.#recorded;
    const record = this.#configured.has(name) ? undefined : await this.#registry.read(kind, name);
    if (!record) throw fault('record_unknown', `There is no ${noun} '${name}'.`);
    if (version === undefined || record.version === version) return record;
    throw fault(
      'version_mismatch',
      `The ${noun} '${name}' is at version ${record.version}, not ${version}. Read it again.`,
      { version: record.version },
    );
  }

  /**
   * Makes all of them or none; the errors of a refused list stand at the indexes they belong to. Codes: `record_invalid`,
   * `name_taken`, `record_read_only`, `too_many_records`.
   */
  async create(
    given: readonly unknown[],
    by: Authorship,
  ): Promise<{ records: StoredRecord[] } | { errors: (DomainError | undefined)[] }> {
    const { kind, noun } = this.#recorded;
    if (given.length > MAX_BATCH_RECORDS)
      throw invalid([{ path: 'resource', message: `${given.length} are more than ${MAX_BATCH_RECORDS}` }]);
    const drafts = given.map((each) => this.#read(each));
    const names = drafts.map((draft) => ('error' in draft ? undefined : draft.name));
    const errors = drafts.map((draft, index) => {
      if ('error' in draft) return draft.error;
      if (this.#configured.has(draft.name)) return this.#readOnly(draft.name);
      return names.indexOf(draft.name) < index ? taken(noun, draft.name) : undefined;
    });
    if (errors.some((error) => error !== undefined)) return { errors };
    const changes = drafts.flatMap((draft): Change[] => {
      if ('error' in draft) return [];
      const { name, body } = draft;
      const after = this.#recorded.told(body);
      return [{ kind, name, expected: 0, body, action: 'create', before: undefined, after }];
    });
    const outcome = await this.#registry.change(changes, by);
    switch (outcome.kind) {
      case 'done':
        return { records: outcome.records as StoredRecord[] };
      case 'full':
        throw full(noun);
      case 'conflict':
        return {
          errors: changes.map(({ name }, index) =>
            outcome.indexes.includes(index) ? taken(noun, name) : undefined,
          ),
        };
    }
  }

  /**
   * What `edit` makes of the record as it stands. Codes: `record_unknown`, `record_invalid`, `record_read_only`,
   * `version_mismatch`, `record_changed`, `too_many_records`.
   */
  async update(
    name: string,
    edit: (body: Body) => unknown,
    by: Authorship,
    expectation: Expectation = {},
  ): Promise<StoredRecord> {
    const { kind, told } = this.#recorded;
    const changed = await this.#change(name, expectation, by, (record) => {
      const draft = this.#read(edit(record.body as Body));
      if ('error' in draft) throw draft.error;
      if (draft.name !== name)
        throw invalid([
          { path: 'name', message: `the name '${name}' stays; make another and remove this one` },
        ]);
      const before = told(record.body as Body);
      const after = told(draft.body);
      return { kind, name, expected: record.version, body: draft.body, action: 'update', before, after };
    });
    return changed as StoredRecord;
  }

  /** Codes: `record_unknown`, `record_read_only`, `version_mismatch`, `record_changed`. */
  async remove(name: string, by: Authorship, expectation: Expectation = {}): Promise<void> {
    const { kind, told } = this.#recorded;
    await this.#change(name, expectation, by, ({ version, body }) => {
      const before = told(body as Body);
      return { kind, name, expected: version, body: undefined, action: 'remove', before, after: undefined };
    });
  }

  /** Throws `record_read_only`. */
  requireMutable(name: string): void {
    if (this.#configured.has(name)) throw this.#readOnly(name);
  }

  /** Reads, decides, writes on condition that it is as it was read, and begins anew when others were faster. */
  async #change(
    name: string,
    expectation: Expectation,
    by: Authorship,
    changeOf: (record: StoredRecord) => Change,
  ): Promise<StoredRecord | undefined> {
    this.requireMutable(name);
    const { noun } = this.#recorded;
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      const record = await this.get(name, expectation);
      const outcome = await this.#registry.change([changeOf(record)], by);
      if (outcome.kind === 'done') return outcome.records[0];
      if (outcome.kind === 'full') throw full(noun);
    }
    throw fault('record_changed', `Others change the ${noun} '${name}' just now. Try again.`);
  }

  #read(given: unknown): { name: string; body: Body } | { error: DomainError } {
    const read = this.#recorded.read(given);
    if ('issues' in read) return { error: invalid(read.issues) };
    const bytes = Buffer.byteLength(JSON.stringify(read.body));
    if (bytes <= MAX_RECORD_BYTES) return read;
    return { error: invalid([{ path: '', message: `${bytes} bytes are more than ${MAX_RECORD_BYTES}` }]) };
  }

  #readOnly(name: string): DomainError {
    const { noun } = this.#recorded;
    return fault(
      'record_read_only',
      `The ${noun} '${name}' comes from the configuration: change it there, and restart.`,
    );
  }
}

function invalid(issues: readonly Issue[]): DomainError {
  const [first] = issues;
  const sentence = [first?.path, first?.message].filter(Boolean).join(': ');
  return fault('record_invalid', sentence, { issues: issues.slice(0, 50) });
}

function taken(noun: string, name: string): DomainError {
  return fault('name_taken', `There is a ${noun} '${name}' already.`);
}

function full(noun: string): DomainError {
  return fault('too_many_records', `No more fits; remove a ${noun} first.`);
}

function fault(
  code: SystemErrorCode,
  message: string,
  details?: Readonly<Record<string, unknown>>,
): DomainError<SystemErrorCode> {
  return new DomainError(code, message, details && { details });
}
