/** This file owns the table of pages: all there are, in the order of the navigation. A new page is a file here and a line below. */
import type { Jobs } from '@sluice/jobs';
import type { OwnApi } from '../own-api.ts';
import type { Page } from '../page.ts';
import { overviewPage } from './overview.ts';

/** What pages are made from. */
export interface Premises {
  jobs: Jobs;
  api: OwnApi;
}

export function consolePages(premises: Premises): Page[] {
  return [overviewPage(premises)];
}
