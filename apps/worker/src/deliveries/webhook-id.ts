/** This file owns the `webhook-id` of a job: the same at each attempt, and no other job's. */
import { createHash } from 'node:crypto';

const OWN_ID = /^j_[0-9A-Z]{26}$/;

/** Ids of ours are unique and fit a header; those of schedulers and other producers may be neither. */
export function webhookId(queue: string, jobId: string): string {
  if (OWN_ID.test(jobId)) return jobId;
  return `msg_${createHash('sha256').update(`${queue}:${jobId}`).digest('base64url').slice(0, 22)}`;
}
