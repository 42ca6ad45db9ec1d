import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { expect, test } from 'vitest';
import { signingSecretSchema } from '../src/schemas.ts';
import { newSigningSecret, signatureHeaders } from '../src/signature.ts';

const now = () => Math.floor(Date.now() / 1_000);

test('signs any body so that the package of Standard Webhooks accepts it, by each secret', () => {
  const secrets = [newSigningSecret(), newSigningSecret()];

  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme', maxLength: 200 }),
      fc.stringMatching(/^j_\w{26}$/),
      (body, id) => {
        const headers = signatureHeaders({ id, timestamp: now(), body, secrets });

        for (const secret of secrets) new Webhook(secret).verify(body, headers, { jsonParse: false });
        expect(() => new Webhook(secrets[0] as string).verify(`${body}.`, headers)).toThrow();
        expect(() =>
          new Webhook(secrets[0] as string).verify(body, { ...headers, 'webhook-id': 'j_0' }),
        ).toThrow();
        expect(() => new Webhook(newSigningSecret()).verify(body, headers)).toThrow();
      },
    ),
    { numRuns: 300 },
  );
});

test('agrees with the example of Standard Webhooks', () => {
  expect(
    signatureHeaders({
      id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      timestamp: 1_614_265_330,
      body: '{"test": 2432232314}',
      secrets: ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
    }),
  ).toEqual({
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  });
});

test('makes secrets of 256 bits, each another', () => {
  const secrets = Array.from({ length: 100 }, newSigningSecret);

  expect(new Set(secrets).size).toBe(100);
  for (const secret of secrets) {
    expect(signingSecretSchema.safeParse(secret).success).toBe(true);
    expect(Buffer.from(secret.slice('whsec_'.length), 'base64')).toHaveLength(32);
  }
});

test('says nothing of a signature when there is no secret', () => {
  expect(signatureHeaders({ id: 'j_1', timestamp: 1, body: '', secrets: [] })).toEqual({
    'webhook-id': 'j_1',
    'webhook-timestamp': '1',
  });
});
