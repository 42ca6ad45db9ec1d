/** This file owns what an examination finds, and the exit status that findings come to. */
import type { Role } from '@sluice/config';

/** `unknown`: what would tell was refused or not answered; it never counts as `ok`. */
export const SEVERITIES = ['error', 'warning', 'unknown', 'info', 'ok'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** What one check says of what it saw. */
export interface Verdict {
  severity: Severity;
  /** What was seen, with its values; never a secret. */
  evidence: string;
  /** Instead of the check's own reason. */
  why?: string | undefined;
  /** A command or a setting that mends it. */
  fix?: string | undefined;
}

export interface Finding {
  /** `<theme>.<check>`, as docs/doctor.md lists them. */
  id: string;
  /** `setup`: what no single role is concerned with. */
  role: Role | 'setup';
  /** Which Redis, without credentials; null where it is about none. */
  redis: string | null;
  /** `host:port` of a node, where it is about one. */
  node: string | null;
  severity: Severity;
  evidence: string;
  why: string;
  fix: string | null;
  /** The section of the published page that asks for it; null: it is ours. */
  page: string | null;
}

export const ok = (evidence: string): Verdict => ({ severity: 'ok', evidence });
export const info = (evidence: string, fix?: string): Verdict => ({ severity: 'info', evidence, fix });
export const warning = (evidence: string, fix?: string): Verdict => ({ severity: 'warning', evidence, fix });
export const error = (evidence: string, fix?: string): Verdict => ({ severity: 'error', evidence, fix });
export const unknown = (evidence: string, fix?: string): Verdict => ({ severity: 'unknown', evidence, fix });

/** 0: nothing to do · 1: warnings, or something that could not be seen · 2: errors. */
export function exitStatusOf(findings: readonly Finding[]): 0 | 1 | 2 {
  const has = (severity: Severity) => findings.some((finding) => finding.severity === severity);
  if (has('error')) return 2;
  return has('warning') || has('unknown') ? 1 : 0;
}

export function countBySeverity(findings: readonly Finding[]): Record<Severity, number> {
  const counts: Record<Severity, number> = { error: 0, warning: 0, unknown: 0, info: 0, ok: 0 };
  for (const { severity } of findings) counts[severity] += 1;
  return counts;
}
