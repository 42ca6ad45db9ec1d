/** This file owns the whole examination: every Redis once, every check for each role, in one list of findings. */
import type { ConfigFault, Role } from '@sluice/config';
import { within } from '@sluice/runtime';
import type { DoctorConfig } from '../config.ts';
import { NODE_CHECKS, placeChecks } from './catalog.ts';
import type { Sight } from './check.ts';
import { CONFIG_CHECK, lookAtSetUp } from './checks/set-up.ts';
import { type Examined, examine, unexamined } from './examination.ts';
import { countBySeverity, exitStatusOf, type Finding, type Severity, type Verdict } from './finding.ts';
import { readRecordedServices } from './recorded-services.ts';
import { type Place, placesOf } from './set-up.ts';

export interface Report {
  status: 0 | 1 | 2;
  counts: Record<Severity, number>;
  findings: readonly Finding[];
}

/** Of one Redis; all are examined at the same time. The rest of ten seconds is for what is read before. */
const EXAMINATION_DEADLINE_MS = 8_000;

/** `role`: that one alone, with what concerns no single role. */
export async function diagnose(config: DoctorConfig, role?: Role): Promise<Report> {
  const recorded = await readRecordedServices(config);
  const places = placesOf(config.roles, [...config.services, ...recorded.services]).flatMap((place) =>
    narrowed(place, role),
  );
  const examined = await Promise.all(places.map((place) => examineInTime(place, config.roles.prefix)));
  const findings = [
    ...lookAtSetUp({ config, recorded }),
    ...examined.flatMap((seen) => lookAt(seen, examined, config.roles.prefix)),
  ];
  return reportOf(findings.filter((finding) => !role || finding.role === role || finding.role === 'setup'));
}

export function faultyConfig(faults: readonly ConfigFault[]): Report {
  return reportOf(
    faults.map(({ name, got, wanted, example }) => ({
      ...CONFIG_CHECK,
      role: 'setup',
      redis: null,
      node: null,
      severity: 'error',
      evidence: `${name}: got ${got}, wanted ${wanted}`,
      fix: example,
    })),
  );
}

function reportOf(findings: readonly Finding[]): Report {
  return { status: exitStatusOf(findings), counts: countBySeverity(findings), findings };
}

/** All roles of a place are examined together, for one may harm another; what is told is narrowed afterwards. */
function narrowed(place: Place, role: Role | undefined): readonly Place[] {
  return role === undefined || place.roles.includes(role) ? [place] : [];
}

async function examineInTime(place: Place, prefix: string): Promise<Examined> {
  try {
    return await within(examine(place, prefix), EXAMINATION_DEADLINE_MS);
  } catch (error) {
    return unexamined(place, error);
  }
}

function lookAt(seen: Examined, all: readonly Examined[], prefix: string): Finding[] {
  return seen.place.roles.flatMap((role) => {
    const sight: Sight = { role, seen, housemates: housematesOf(seen, all) };
    const ofPlace = placeChecks(prefix)
      .filter((check) => check.roles.includes(role))
      .flatMap((check) =>
        verdicts(check.look(sight)).map((verdict) => findingOf(check, verdict, { role, seen, node: null })),
      );
    const ofNodes = seen.nodes.flatMap((node) =>
      NODE_CHECKS.filter((check) => check.roles.includes(role)).flatMap((check) =>
        verdicts(check.look({ ...sight, node })).map((verdict) =>
          findingOf(check, verdict, { role, seen, node: node.address }),
        ),
      ),
    );
    return [...ofPlace, ...ofNodes];
  });
}

/** Roles of every place that leads to the same process: by database number, by another name, by another user. */
function housematesOf(seen: Examined, all: readonly Examined[]): readonly Role[] {
  const ids = new Set(runIds(seen));
  const roles = all.filter((other) => other === seen || runIds(other).some((id) => ids.has(id)));
  return [...new Set(roles.flatMap(({ place }) => place.roles))];
}

function runIds({ nodes }: Examined): string[] {
  return nodes.flatMap(({ info }) => (info.isTold ? (info.value.get('run_id') ?? []) : []));
}

function verdicts(looked: Verdict | readonly Verdict[] | undefined): readonly Verdict[] {
  if (looked === undefined) return [];
  return 'severity' in looked ? [looked] : looked;
}

function findingOf(
  check: { id: string; page: string | null; why: string },
  { severity, evidence, why = check.why, fix }: Verdict,
  { role, seen, node }: { role: Role; seen: Examined; node: string | null },
): Finding {
  return {
    id: check.id,
    role,
    redis: seen.label,
    node,
    severity,
    evidence,
    why,
    fix: fix ?? null,
    page: check.page,
  };
}
