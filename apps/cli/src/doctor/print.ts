/** This file owns the report as people read it: what is wrong first, each Redis by itself, roles that share a finding on one line. */
import { table } from '../table.ts';
import { type Finding, SEVERITIES, type Severity } from './finding.ts';
import type { Report } from './report.ts';

const COLOURS: Readonly<Record<Severity, string>> = {
  error: '\u001b[31m',
  warning: '\u001b[33m',
  unknown: '\u001b[35m',
  info: '\u001b[36m',
  ok: '\u001b[32m',
};
const PLAIN = '\u001b[0m';
const WITHOUT_REASON: readonly Severity[] = ['ok', 'info'];

interface Line extends Omit<Finding, 'role'> {
  roles: string[];
}

export function printed(report: Report, options: { isColoured: boolean }): string[] {
  const groups = new Map<string | null, Finding[]>();
  for (const finding of report.findings) {
    groups.set(finding.redis, [...(groups.get(finding.redis) ?? []), finding]);
  }
  const blocks = [...groups].map(([redis, findings]) => block(redis, findings, options));
  return [...blocks.flat(), summary(report)];
}

function block(
  redis: string | null,
  findings: readonly Finding[],
  { isColoured }: { isColoured: boolean },
): string[] {
  const lines = merged(findings).sort(
    (one, other) => SEVERITIES.indexOf(one.severity) - SEVERITIES.indexOf(other.severity),
  );
  const nodes = new Set(lines.flatMap(({ node }) => node ?? []));
  const rows = lines.map(({ severity, id, roles, node, evidence }) => [
    severity,
    id,
    roles.join(' '),
    nodes.size > 1 && node !== null ? `${node}: ${evidence}` : evidence,
  ]);
  const [headings = '', ...told] = table(['SEVERITY', 'CHECK', 'ROLES', 'EVIDENCE'], rows);
  const body = told.flatMap((text, index) => {
    const line = lines[index] as Line;
    const shown = isColoured
      ? COLOURS[line.severity] + text.replace(line.severity, line.severity + PLAIN)
      : text;
    return [shown, ...reasons(line)];
  });
  return [redis ?? 'The set-up', headings, ...body, ''];
}

function reasons({ severity, why, fix }: Line): string[] {
  if (severity === 'ok') return [];
  return [
    ...(WITHOUT_REASON.includes(severity) ? [] : [`  why  ${why}`]),
    ...(fix === null ? [] : [`  fix  ${fix}`]),
  ];
}

/** One line for all roles that are told the same. */
function merged(findings: readonly Finding[]): Line[] {
  const lines = new Map<string, Line>();
  for (const { role, ...rest } of findings) {
    const key = JSON.stringify(rest);
    const line = lines.get(key);
    if (line) line.roles.push(role);
    else lines.set(key, { ...rest, roles: [role] });
  }
  return [...lines.values()];
}

function summary({ counts, findings }: Report): string {
  const told = SEVERITIES.filter((severity) => counts[severity] > 0).map((severity) => {
    const isPlural = counts[severity] > 1 && (severity === 'error' || severity === 'warning');
    return `${counts[severity]} ${severity}${isPlural ? 's' : ''}`;
  });
  return `${findings.length} findings: ${told.join(', ')}.`;
}
