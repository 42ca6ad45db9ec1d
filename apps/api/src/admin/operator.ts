/** This file owns the operator, who uses the console and the board: by an API key or by an account, with what each may do. */
import { Grants, type KeyPrincipal, type KeyQuota } from '@sluice/access';
import type { AccountBody, AccountRole, Author } from '@sluice/system';

export interface Operator {
  readonly kind: 'key' | 'account';
  /** Of the key, or the account's name. */
  readonly id: string;
  readonly label: string;
  /** In a word, for people; what decides are `grants`. */
  readonly role: AccountRole;
  readonly grants: Grants;
  /** Of the key; whoever has one makes and changes neither keys nor accounts. */
  readonly quota?: KeyQuota;
}

/**
 * A role is a set of scopes: the console and the board ask for the same ones as the API does, and whoever comes with a
 * key may do there what his key may do anywhere.
 */
export const ROLE_SCOPES: Readonly<Record<AccountRole, readonly string[]>> = {
  viewer: ['board:read', 'jobs:read', 'limits:read', 'metrics:read'],
  operator: [
    'board:*',
    'jobs:*',
    'deliveries:*',
    'cache:*',
    'limits:*',
    'sessions:*',
    'channels:*',
    'metrics:read',
    'system:read',
  ],
  admin: ['*'],
};

const GRANTS: Readonly<Record<AccountRole, Grants>> = {
  viewer: new Grants(ROLE_SCOPES.viewer),
  operator: new Grants(ROLE_SCOPES.operator),
  admin: new Grants(ROLE_SCOPES.admin),
};

export function operatorOfKey({ id, label, grants, quota }: KeyPrincipal): Operator {
  return { kind: 'key', id, label, role: roleOf(grants), grants, ...(quota && { quota }) };
}

export function operatorOfAccount({ name, role }: AccountBody): Operator {
  return { kind: 'account', id: name, label: name, role, grants: GRANTS[role] };
}

/** Whose change it is, for the trail. */
export function authorOf({ kind, id, label }: Operator): Author {
  return { kind, id, label };
}

/** Nobody gives more than he has: whether he may make an account of this role, or change one that has it. */
export function mayGive({ grants, quota }: Operator, role: AccountRole): boolean {
  return quota === undefined && ROLE_SCOPES[role].every((scope) => grants.covers(scope));
}

function roleOf(grants: Grants): AccountRole {
  if (grants.allows('system', 'write')) return 'admin';
  return grants.allows('board', 'write') ? 'operator' : 'viewer';
}
