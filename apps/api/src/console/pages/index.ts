/** This file owns the table of pages: all there are, in the order of the navigation. A new page is a file here and a line below. */
import type { Jobs } from '@sluice/jobs';
import type { Limiter } from '@sluice/rate-limit';
import type { Registry } from '@sluice/system';
import type { OperatorSessions } from '../../admin/operator-sessions.ts';
import type { OwnApi } from '../own-api.ts';
import type { Page } from '../page.ts';
import type { Pulse } from '../pulse.ts';
import { accountsPage } from './accounts.ts';
import { auditPage } from './audit.ts';
import { cachePage } from './cache.ts';
import { cachesPage } from './caches.ts';
import { jobPage } from './job.ts';
import { keysPage } from './keys.ts';
import { limitsPage } from './limits.ts';
import { newServicePage } from './new-service.ts';
import { overviewPage } from './overview.ts';
import { ownAccountPage } from './own-account.ts';
import { queuePage } from './queue.ts';
import { queuesPage } from './queues.ts';
import { schedulersPage } from './schedulers.ts';
import { servicePage } from './service.ts';
import { servicesPage } from './services.ts';
import { sessionsPage } from './sessions.ts';

/** What pages are made from. */
export interface Premises {
  jobs: Jobs;
  api: OwnApi;
  limiter: Limiter;
  pulse: Pulse;
  registry: Registry;
  sessions: OperatorSessions;
}

export function consolePages(premises: Premises): Page[] {
  return [
    overviewPage(premises),
    queuesPage(premises),
    queuePage(premises),
    jobPage(premises),
    schedulersPage(premises),
    limitsPage(premises),
    servicesPage(premises),
    newServicePage(premises),
    servicePage(premises),
    cachesPage(premises),
    cachePage(premises),
    sessionsPage(premises),
    keysPage(premises),
    accountsPage(premises),
    auditPage(premises),
    ownAccountPage(premises),
  ];
}
