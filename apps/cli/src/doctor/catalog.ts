/** This file owns the list of all checks, in the order in which one would ask. */
import type { NodeCheck, PlaceCheck } from './check.ts';
import { CLIENT_NODE_CHECKS } from './checks/clients.ts';
import { CLUSTER_CHECKS, CLUSTER_NODE_CHECKS } from './checks/cluster.ts';
import { COMMAND_CHECKS } from './checks/commands.ts';
import { KEY_CHECKS, overlapCheck } from './checks/key-design.ts';
import { MEMORY_NODE_CHECKS } from './checks/memory.ts';
import { PERSISTENCE_NODE_CHECKS } from './checks/persistence.ts';
import { REACH_CHECKS } from './checks/reach.ts';
import { REPLICATION_NODE_CHECKS } from './checks/replication.ts';
import { SECURITY_CHECKS, SECURITY_NODE_CHECKS } from './checks/security.ts';
import { SENTINEL_CHECKS } from './checks/sentinel.ts';
import { SERVER_NODE_CHECKS } from './checks/server.ts';
import { SET_UP_CHECK_IDS } from './checks/set-up.ts';

export function placeChecks(prefix: string): readonly PlaceCheck[] {
  return [
    ...REACH_CHECKS,
    ...SECURITY_CHECKS,
    ...COMMAND_CHECKS,
    ...SENTINEL_CHECKS,
    ...CLUSTER_CHECKS,
    ...KEY_CHECKS,
    overlapCheck(prefix),
  ];
}

export const NODE_CHECKS: readonly NodeCheck[] = [
  ...SERVER_NODE_CHECKS,
  ...SECURITY_NODE_CHECKS,
  ...MEMORY_NODE_CHECKS,
  ...PERSISTENCE_NODE_CHECKS,
  ...REPLICATION_NODE_CHECKS,
  ...CLUSTER_NODE_CHECKS,
  ...CLIENT_NODE_CHECKS,
];

/** Every id that a finding may have; docs/doctor.md lists the same. */
export const CHECK_IDS: readonly string[] = [
  ...SET_UP_CHECK_IDS,
  ...placeChecks('').map(({ id }) => id),
  ...NODE_CHECKS.map(({ id }) => id),
];
