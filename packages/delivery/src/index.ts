export {
  type CallbackRequest,
  Deliveries,
  type DeliveryJob,
  type DeliveryRequest,
} from './deliveries.ts';
export { destinationOf } from './destination.ts';
export { Endpoints, type EndpointView, type SendingEndpoint } from './endpoints.ts';
export { type Contact, Hosts, type Place } from './hosts.ts';
export { nextWaitMs, readRetryAfter } from './schedule.ts';
export {
  DEFAULT_CONCURRENCY,
  DEFAULT_ENDPOINT,
  DELIVERY_JOB,
  DELIVERY_QUEUE,
  type NewDelivery,
} from './schemas.ts';
export { signatureHeaders } from './signature.ts';
export { type Target, Targets } from './targets.ts';
export { isAnsweredByHost, judgeStatus, type Verdict } from './verdict.ts';
