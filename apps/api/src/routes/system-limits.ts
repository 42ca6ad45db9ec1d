/** This file owns the answers about rate-limit policies: those of the configuration to look at, those made at run time to change. */
import type { ErrorCode, routes } from '@sluice/contract';
import type { PolicyInput } from '@sluice/rate-limit/schemas';
import { DomainError, mergePatch } from '@sluice/runtime';
import { Book, type Registry, type StoredRecord } from '@sluice/system';
import type { Call, Handlers } from '../http/call.ts';
import { json, type Reply } from '../http/reply.ts';
import { mostPolicies, recordedPolicies } from '../system/runtime-policies.ts';
import {
  authorshipOf,
  createdOf,
  etag,
  historyOf,
  itemsOf,
  requireLoaded,
  versionWanted,
} from './system-records.ts';

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
  const update = async (
    call: Call<PolicyRoutes['patchPolicy' | 'replacePolicy']>,
    edit: (body: PolicyInput) => unknown,
  ) => {
    const expectation = { version: versionWanted(call) };
    return reply(await book.update(call.params.name, edit, authorshipOf(call), expectation));
  };

  return {
    listPolicies: () => {
      requireLoaded(registry);
      const own = registry.list('limit').filter(({ name }) => !configured.has(name));
      return json(200, { resource: [...[...configured.values()].map(configuredView), ...own.map(view)] });
    },
    createPolicies: async (call) => {
      const items = itemsOf(call.body);
      requireRoom(registry.list('limit').length + items.length, configured.size);
      const outcome = await book.create(items.map(withoutTold), authorshipOf(call));
      return json(201, { resource: createdOf(outcome, call.requestId).map(view) });
    },
    getPolicy: async ({ params: { name } }) => {
      const policy = configured.get(name);
      return policy ? json(200, configuredView(policy)) : reply(await book.get(name));
    },
    patchPolicy: (call) => {
      const patch = JSON.stringify(withoutTold(call.body));
      return update(call, (body) => JSON.parse(mergePatch(JSON.stringify(body), patch)));
    },
    replacePolicy: (call) => update(call, () => withoutTold({ name: call.params.name, ...call.body })),
    removePolicy: async (call) => {
      const { name } = call.params;
      await book.remove(name, authorshipOf(call), { version: versionWanted(call) });
      return json(200, { name, success: true });
    },
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

function view(record: StoredRecord) {
  return { ...(record.body as PolicyInput), ...historyOf(record) };
}

function configuredView(policy: PolicyInput) {
  return { ...policy, ...historyOf(undefined) };
}

function reply(record: StoredRecord): Reply {
  return json(200, view(record), etag(record.version));
}

const TOLD_MEMBERS = new Set(Object.keys(historyOf(undefined)));

/** Whoever sends back what he was told need not take out what is no part of a policy. */
function withoutTold(given: unknown): unknown {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return given;
  return Object.fromEntries(Object.entries(given).filter(([name]) => !TOLD_MEMBERS.has(name)));
}
