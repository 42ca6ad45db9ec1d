/** This file owns the reading of environment variables: typed, defaulted, every fault gathered for one message. */

/** What is wrong with one setting. `got` is never a secret. */
export interface ConfigFault {
  name: string;
  got: string;
  wanted: string;
  example: string;
}

/** Thrown once per start with every fault, so that a user mends them in one go. */
export class ConfigError extends Error {
  readonly faults: readonly ConfigFault[];

  constructor(faults: readonly ConfigFault[]) {
    const lines = faults.map(
      ({ name, got, wanted, example }) => `  ${name}: got ${got}, wanted ${wanted}, for example ${example}`,
    );
    super(
      `The configuration has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:\n${lines.join('\n')}`,
    );
    this.name = 'ConfigError';
    this.faults = faults;
  }
}

/** A value that prints as `[secret]` everywhere; `reveal()` at the one place that needs it. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return '[secret]';
  }

  toJSON(): string {
    return '[secret]';
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '[secret]';
  }
}

export type EnvironmentVariables = Readonly<Record<string, string | undefined>>;

const MAX_SHOWN = 80;
const TRUE = ['1', 'true', 'yes', 'on', 'y', 't'];
const FALSE = ['0', 'false', 'no', 'off', 'n', 'f'];

/**
 * Reads variables one by one and remembers every fault; call `finish()` at the end, which throws them all.
 *
 * A variable that is empty counts as unset. `names` lists aliases: the first is the name of choice; two that are set
 * to different values are a fault that names both.
 */
export class Env {
  readonly #variables: EnvironmentVariables;
  readonly #faults: ConfigFault[] = [];

  constructor(variables: EnvironmentVariables) {
    this.#variables = variables;
  }

  /** The raw text, or `undefined` when unset or empty. */
  raw(names: string | readonly string[]): { name: string; value: string } | undefined {
    const all = typeof names === 'string' ? [names] : names;
    const set = all.flatMap((name) => {
      const value = this.#variables[name];
      return value === undefined || value === '' ? [] : [{ name, value }];
    });
    const [first] = set;
    const other = set.find(({ value }) => value !== first?.value);
    if (first && other) {
      this.fault({
        name: `${first.name} and ${other.name}`,
        got: `two different values (${shown(first.value)} and ${shown(other.value)})`,
        wanted: 'one of them, or the same value in both',
        example: `${other.name}=`,
      });
    }
    return first;
  }

  has(name: string): boolean {
    return this.raw(name) !== undefined;
  }

  text<D extends string | undefined>(
    names: string | readonly string[],
    fallback: D,
    rule?: TextRule,
  ): string | D {
    const found = this.raw(names);
    if (!found) return fallback;
    if (rule && !rule.pattern.test(found.value)) {
      this.fault({
        name: found.name,
        got: shown(found.value),
        wanted: rule.wanted,
        example: `${found.name}=${rule.example}`,
      });
      return fallback;
    }
    return found.value;
  }

  /** No value of it is ever in a fault. */
  secret(name: string, rule?: { minLength: number }): Secret | undefined {
    const value = this.raw(name)?.value;
    if (value === undefined) return undefined;
    if (rule && value.length < rule.minLength) {
      this.fault({
        name,
        got: `a secret of ${value.length} characters`,
        wanted: `at least ${rule.minLength} characters`,
        example: `${name}=$(openssl rand -hex 32)`,
      });
    }
    return new Secret(value);
  }

  integer<D extends number | undefined>(
    names: string | readonly string[],
    fallback: D,
    range: { min: number; max: number },
  ): number | D {
    const found = this.raw(names);
    if (!found) return fallback;
    const value = /^-?\d{1,15}$/.test(found.value) ? Number(found.value) : Number.NaN;
    if (!(value >= range.min && value <= range.max)) {
      this.fault({
        name: found.name,
        got: shown(found.value),
        wanted: `a whole number from ${range.min} to ${range.max}`,
        example: `${found.name}=${fallback ?? range.min}`,
      });
      return fallback;
    }
    return value;
  }

  boolean(names: string | readonly string[], fallback: boolean): boolean {
    const found = this.raw(names);
    if (!found) return fallback;
    const value = found.value.toLowerCase();
    if (TRUE.includes(value)) return true;
    if (FALSE.includes(value)) return false;
    this.fault({
      name: found.name,
      got: shown(found.value),
      wanted: 'true or false',
      example: `${found.name}=${fallback}`,
    });
    return fallback;
  }

  oneOf<T extends string, D extends T | undefined>(
    names: string | readonly string[],
    choices: readonly T[],
    fallback: D,
  ): T | D {
    const found = this.raw(names);
    if (!found) return fallback;
    const choice = choices.find((candidate) => candidate === found.value.toLowerCase());
    if (choice !== undefined) return choice;
    this.fault({
      name: found.name,
      got: shown(found.value),
      wanted: choices.length === 1 ? `'${choices[0]}'` : `one of ${choices.join(', ')}`,
      example: `${found.name}=${choices[0]}`,
    });
    return fallback;
  }

  /** A comma list; blanks around entries are dropped, empty entries are not kept. */
  list(names: string | readonly string[]): string[] {
    const found = this.raw(names);
    if (!found) return [];
    return found.value
      .split(',')
      .map((entry) => entry.trim())
      .filter((entry) => entry !== '');
  }

  fault(fault: ConfigFault): void {
    if (!this.#faults.some(({ name }) => name === fault.name)) this.#faults.push(fault);
  }

  /** Throws `ConfigError` with every fault so far; does nothing when there is none. */
  finish(): void {
    if (this.#faults.length > 0) throw new ConfigError(this.#faults);
  }
}

/** A value for its owner to recognise. A URL in the wrong variable may hold a password, so it is not told. */
export function shown(value: string): string {
  if (/:\/\/|@/.test(value)) return 'a text that is not shown, for it may hold a password';
  return value.length > MAX_SHOWN ? `'${value.slice(0, MAX_SHOWN)}…'` : `'${value}'`;
}

export interface TextRule {
  pattern: RegExp;
  wanted: string;
  example: string;
}
