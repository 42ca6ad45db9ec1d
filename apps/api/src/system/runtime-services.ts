/** This file owns how services made at run time become services of this API: read from their records, opened beside the configured ones. */
import type { ServiceConfig } from '@sluice/config';
import type { ErrorCode } from '@sluice/contract';
import { DomainError, type Log } from '@sluice/runtime';
import { type Registry, type ServiceSecrets, type StoredRecord, serviceConfigOf } from '@sluice/system';
import type { CacheServices, RuntimeService } from '../cache-services.ts';

/** Keeps `cacheServices` level with the registry from now on. */
export function followServices(options: {
  registry: Registry;
  cacheServices: CacheServices;
  configured: readonly ServiceConfig[];
  secrets: ServiceSecrets;
  log: Log;
}): void {
  const { registry, cacheServices, secrets, log } = options;
  const configured = new Set(options.configured.map(({ name }) => name));
  const read = new Map<string, RuntimeService>();
  registry.onChange(() => {
    const records = registry.list('service').filter(({ name }) => !configured.has(name));
    for (const name of read.keys()) if (!records.some((record) => record.name === name)) read.delete(name);
    for (const record of records) {
      // Opening a seal costs; most records are as they were.
      if (read.get(record.name)?.version === record.version) continue;
      const service = runtimeService(record, secrets);
      if ('problem' in service)
        log.error({ service: record.name, error: service.problem }, 'cache service cannot be used');
      read.set(record.name, service);
    }
    cacheServices.apply([...read.values()]);
  });
}

export function runtimeService(record: StoredRecord, secrets: ServiceSecrets): RuntimeService {
  const { name, version } = record;
  try {
    return { name, version, config: serviceConfigOf(record, secrets) };
  } catch (error) {
    if (error instanceof DomainError) return { name, version, problem: error };
    const problem = new DomainError<ErrorCode>('internal', `Service ${name} cannot be read.`, {
      cause: error,
    });
    return { name, version, problem };
  }
}
