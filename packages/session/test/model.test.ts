import { randomBytes } from 'node:crypto';
import type { TestContext } from '@sluice/redis/testing';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Creation, Deed, SessionDriver, Verdict } from '../src/driver.ts';
import { type PresentedToken, TokenMint } from '../src/token.ts';
import { MemorySessionDriver } from './memory-driver.ts';
import { onFile, onRedis, type Setup } from './setup.ts';

/** `LONG_TESTS=1` runs as many as a release is held to. */
const isLong = process.env.LONG_TESTS === '1';
const DAY_MS = 24 * 3_600_000;

const mint = new TokenMint(randomBytes(32));

/** One step: numbers choose among the users, the tokens ever made, and the generations ever seen. */
type Step =
  | { do: 'create'; user: number; generation: number | null; maxPerUser: number; refuses: boolean }
  | { do: 'look' | 'touch' | 'end' | 'revoke_others'; token: number }
  | { do: 'save'; token: number; version: number | null; data: string }
  | { do: 'rotate'; token: number; overlaps: boolean }
  | { do: 'revoke'; user: number; token: number }
  | { do: 'revoke_all'; user: number };

const user = fc.nat({ max: 1 });
const token = fc.nat({ max: 20 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant('create' as const),
    user,
    generation: fc.option(fc.nat({ max: 3 })),
    maxPerUser: fc.integer({ min: 1, max: 4 }),
    refuses: fc.boolean(),
  }),
  fc.record({ do: fc.constantFrom('look' as const, 'touch', 'end', 'revoke_others'), token }),
  fc.record({
    do: fc.constant('save' as const),
    token,
    version: fc.option(fc.integer({ min: 1, max: 3 })),
    data: fc.json().map((value) => `{"a":${value}}`),
  }),
  fc.record({ do: fc.constant('rotate' as const), token, overlaps: fc.boolean() }),
  fc.record({ do: fc.constant('revoke' as const), user, token }),
  fc.record({ do: fc.constant('revoke_all' as const), user }),
);

for (const [name, setup] of [['Redis', onRedis] as const, ['files', onFile] as const]) {
  test(`${name} answers every sequence of calls as the rules do`, {
    timeout: 120_000,
  }, async (t: TestContext) => {
    const { driver }: Setup = await setup(t);
    const runs = name === 'Redis' ? (isLong ? 2_000 : 100) : isLong ? 300 : 25;

    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const model = new MemorySessionDriver();
        const users = [mint.userTag(null), mint.userTag(null)];
        const tokens: PresentedToken[] = [mint.mint(users[0] as string).presented];
        for (const each of steps) {
          const made: PresentedToken[] = [];
          const [expected, actual] = [await perform(model), await perform(driver)];
          expect(actual, JSON.stringify(each)).toEqual(expected);
          tokens.push(...made.slice(0, 1));

          async function perform(on: SessionDriver): Promise<unknown> {
            return await take(on, each, { users, tokens, made });
          }
        }
        for (const tag of users) {
          const listed = (await driver.list(tag)).map(({ id, version }) => `${id} ${version}`);
          const modelled = (await model.list(tag)).map(({ id, version }) => `${id} ${version}`);
          expect(listed.sort()).toEqual(modelled.sort());
          expect(await driver.generation(tag)).toBe(await model.generation(tag));
        }
      }),
      { numRuns: runs },
    );
  });
}

interface World {
  users: readonly string[];
  tokens: readonly PresentedToken[];
  /** The token that this step makes, the same for both stores. */
  made: PresentedToken[];
}

/** Takes one step; what depends on the clock is left out of the answer. */
async function take(driver: SessionDriver, each: Step, { users, tokens, made }: World): Promise<unknown> {
  const tokenAt = (at: number) => tokens[at % tokens.length] as PresentedToken;
  const present = async (at: number, deed: Deed) => timeless(await driver.present(tokenAt(at), deed));
  switch (each.do) {
    case 'create': {
      made[0] ??= mint.mint(users[each.user] as string).presented;
      const creation = await driver.create({
        place: made[0],
        userId: 'ada',
        data: '{}',
        // Each later session expires later, so that "the oldest" is the same one in both stores.
        idleMs: DAY_MS + tokens.length * 3_600_000,
        absoluteMs: 30 * DAY_MS,
        address: null,
        agent: 'test',
        generation: each.generation,
        maxPerUser: each.maxPerUser,
        whenFull: each.refuses ? 'refuse' : 'end_oldest',
      });
      return timeless(creation);
    }
    case 'touch':
      return await present(each.token, { kind: 'touch', everyMs: DAY_MS, idleMs: null });
    case 'look':
    case 'end':
      return await present(each.token, { kind: each.do });
    case 'revoke_others':
      return await present(each.token, { kind: 'revoke_others', memoryMs: DAY_MS });
    case 'save':
      return await present(each.token, {
        kind: 'save',
        data: each.data,
        version: each.version,
        idleMs: null,
      });
    case 'rotate': {
      const { user: tag, id } = tokenAt(each.token);
      made[0] ??= mint.mint(tag, id).presented;
      const overlapMs = each.overlaps ? DAY_MS : 0;
      return await present(each.token, { kind: 'rotate', nextHash: made[0].hash, overlapMs });
    }
    case 'revoke':
      return await driver.revoke({ user: users[each.user] as string, id: tokenAt(each.token).id });
    case 'revoke_all':
      return await driver.revokeAll(users[each.user] as string, DAY_MS);
  }
}

function timeless(answer: Creation | Verdict): unknown {
  if (!('record' in answer)) return answer;
  const { createdAtMs, seenAtMs, expiresAtMs, endsAtMs, ...record } = answer.record;
  const span = { idle: expiresAtMs - seenAtMs, absolute: endsAtMs - createdAtMs };
  return { ...answer, record, ...('ended' in answer ? {} : { span }) };
}

test('however many rotate and read at once, a token has one successor and one token is left', {
  timeout: 300_000,
}, async (t) => {
  const { sessions, another } = await onRedis(t, { overlapMs: 0 });
  const processes = [sessions, another(), another(), another()];
  const operations = isLong ? 10_000 : 1_000;
  const successors = new Map<string, string[]>();
  const { token: firstToken } = await sessions.create({ userId: 'ada' });
  const issued = [firstToken];
  let started = 0;

  const worker = async (store: typeof sessions) => {
    while (started < operations) {
      started += 1;
      const turn = started;
      // Mostly the newest token, sometimes one of the two before it.
      const back = turn % 5 === 0 ? 1 + (turn % 2) : 0;
      const shown = issued.at(-1 - Math.min(back, issued.length - 1)) as string;
      if (turn % 3 === 0) {
        await store.read(shown);
        continue;
      }
      const rotated = await store.rotate(shown).catch((error: { code?: string }) => error);
      if (!('token' in rotated)) {
        expect(rotated.code).toBe('session_token_invalid');
        continue;
      }
      successors.set(shown, [...(successors.get(shown) ?? []), rotated.token]);
      issued.push(rotated.token);
    }
  };
  await Promise.all(
    Array.from({ length: 32 }, (_, at) => worker(processes[at % processes.length] as typeof sessions)),
  );

  const live: string[] = [];
  for (const each of issued) if (await sessions.read(each)) live.push(each);
  expect([...successors.values()].every((next) => next.length === 1)).toBe(true);
  expect(issued.length).toBe(successors.size + 1);
  expect(issued.length).toBeGreaterThan(operations / 200);
  expect(live).toHaveLength(1);
});
