/** This file owns the answers about rate-limit policies: those of the configuration to look at, those made at run time to change. */
import type { ErrorCode, routes } from '@sluice/contract';
import type { PolicyInput } from '@sluice/rate-limit/schemas';
import { DomainError } from '@sluice/runtime';
import { Book, type Registry } from '@sluice/system';
import type { Handlers } from '../http/call.ts';
import { mostPolicies, recordedPolicies } from '../system/runtime-policies.ts';
import { recordHandlers } from './record-handlers.ts';

type PolicyRoutes = Pick<
  typeof routes,
  'listPolicies' | 'createPolicies' | 'getPolicy' | 'patchPolicy' | 'replacePolicy' | 'removePolicy'
>;

export function systemLimitHandlers(options: {
  registry: Registry;
  configured: readonly PolicyInput[];
}): Handlers<PolicyRoutes> {
  const { registry } = options;
  const configured = new Map(options.configured.map((policy) => [policy.name, policy]));
  const book = new Book<PolicyInput>({
    registry,
    recorded: recordedPolicies(),
    configured: [...configured.keys()],
  });
  const records = recordHandlers({
    registry,
    kind: 'limit',
    book,
    configured,
    told: (policy) => policy,
    requireRoom: (more) => requireRoom(registry.list('limit').length + more, configured.size),
  });
  return {
    listPolicies: records.list,
    createPolicies: records.create,
    getPolicy: records.get,
    patchPolicy: records.patch,
    replacePolicy: records.replace,
    removePolicy: records.remove,
  };
}

/** Every request looks at every policy. */
function requireRoom(wanted: number, configured: number): void {
  const most = mostPolicies(configured);
  if (wanted <= most) return;
  throw new DomainError<ErrorCode>(
    'too_many_records',
    `At most ${most} policies can be made beside the ${configured} of the configuration.`,
  );
}
