import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Secret, type StandaloneConfig, type TlsConfig } from '@sluice/config';
import { describe, expect, type TestContext, test } from 'vitest';
import { close, connect, untilReady } from '../src/connect.ts';
import { freePort } from '../src/embedded/port.ts';
import { testServer } from '../src/testing.ts';

const run = promisify(execFile);

/** A server that speaks TLS alone, with a certificate for `localhost` that signs itself. */
async function setup(t: TestContext) {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-tls-'));
  t.onTestFinished(() => rm(directory, { recursive: true }));
  const [key, certificate] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  const pair = [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-keyout',
    key,
    '-out',
    certificate,
  ];
  await run('openssl', ['req', '-x509', '-days', '1', ...pair, ...subject]);
  const port = await freePort();
  const tls = [
    `tls-port ${port}`,
    `tls-cert-file ${certificate}`,
    `tls-key-file ${key}`,
    `tls-ca-cert-file ${certificate}`,
  ];
  await testServer(t, {
    isOpen: true,
    settings: [...tls, 'tls-auth-clients no', 'requirepass right', 'save ""'],
  });
  const open = (settings: Partial<TlsConfig>) => {
    const none = { caFile: undefined, certFile: undefined, keyFile: undefined, serverName: undefined };
    const config: StandaloneConfig = {
      kind: 'standalone',
      host: '127.0.0.1',
      port,
      database: 3,
      username: undefined,
      password: new Secret('right'),
      tls: { ...none, ...settings },
    };
    const client = connect({ config, profile: 'request', name: 'test' });
    t.onTestFinished(() => close(client, 100));
    return client;
  };
  return { open, certificate };
}

describe('over TLS', () => {
  test('a server of a known authority is trusted under its own name', async (t) => {
    const { open, certificate } = await setup(t);
    const client = open({ caFile: certificate, serverName: 'localhost' });

    await untilReady(client, 5_000);

    expect(await client.set('key', 'x')).toBe('OK');
    expect(await client.client('INFO')).toContain(' db=3 ');
  });

  test('a server of an unknown authority is not', async (t) => {
    const { open } = await setup(t);

    const error = await untilReady(open({ serverName: 'localhost' }), 500).catch((thrown: unknown) => thrown);

    expect(error).toMatchObject({ cause: { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' } });
  });

  test('a server under another name is not', async (t) => {
    const { open, certificate } = await setup(t);

    const error = await untilReady(open({ caFile: certificate, serverName: 'other.example' }), 500).catch(
      (thrown: unknown) => thrown,
    );

    expect(error).toMatchObject({ cause: { code: 'ERR_TLS_CERT_ALTNAME_INVALID' } });
  });

  test('a file that cannot be read is told at once', async (t) => {
    const { open } = await setup(t);

    expect(() => open({ caFile: '/nowhere/ca.pem' })).toThrow('/nowhere/ca.pem');
  });
});
