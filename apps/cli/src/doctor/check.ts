/** This file owns what a check is: a question to what was examined, asked for each role it matters to. */
import type { Role } from '@sluice/config';
import type { Answer } from './answer.ts';
import type { Examined } from './examination.ts';
import { unknown, type Verdict } from './finding.ts';
import { type Info, type NodeFacts, numberOf, type SettingName } from './node-facts.ts';

export interface Sight {
  role: Role;
  seen: Examined;
  /** Roles that live in the same server process, this one among them: eviction knows no database numbers. */
  housemates: readonly Role[];
}

export interface NodeSight extends Sight {
  node: NodeFacts;
}

interface CheckWords {
  /** `<theme>.<check>` */
  id: string;
  /** The section of the published page that asks for it; null: ours. */
  page: string | null;
  why: string;
  roles: readonly Role[];
}

/** Asked once for each role of a Redis; `undefined`: it does not apply. */
export interface PlaceCheck extends CheckWords {
  look(sight: Sight): Verdict | readonly Verdict[] | undefined;
}

/** Asked for each role and each node. */
export interface NodeCheck extends CheckWords {
  look(sight: NodeSight): Verdict | undefined;
}

/** Judges by INFO; what a server's version does not tell is unknown as well. */
export function byInfo<F extends string>(
  { node }: NodeSight,
  fields: readonly F[],
  told: (numbers: Readonly<Record<F, number>>, info: Info) => Verdict,
): Verdict {
  const { info } = node;
  if (!info.isTold) return unknown(`${info.command}: ${info.reason}`);
  const numbers = fields.map((field) => [field, numberOf(info.value, field)] as const);
  const absent = numbers.filter(([, value]) => value === undefined).map(([field]) => field);
  if (absent.length > 0) return unknown(`INFO does not tell ${absent.join(', ')}`);
  return told(Object.fromEntries(numbers) as Record<F, number>, info.value);
}

export function setting({ node }: NodeSight, name: SettingName): Answer<string> {
  return node.settings.get(name) as Answer<string>;
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** 268435456 -> `256 MiB` */
export function bytes(count: number): string {
  const power = Math.min(UNITS.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(count, 1)) / 10)));
  return `${Number((count / 1_024 ** power).toFixed(1))} ${UNITS[power]}`;
}

export function percent(part: number, whole: number): string {
  return `${Number(((100 * part) / whole).toFixed(1))} %`;
}
