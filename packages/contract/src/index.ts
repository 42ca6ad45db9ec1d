export { ApiError, type Client, type ClientOptions, createClient } from './client.ts';
export { BATCH_ERROR_CODE, type ErrorEnvelope, errorEnvelope } from './envelope.ts';
export { DOOR_ERROR_CODES, type ErrorCode, STATUS } from './errors.ts';
export {
  type LeaseContext,
  type LeaseProcessor,
  LeaseWorker,
  type LeaseWorkerOptions,
} from './lease-worker.ts';
export {
  type Access,
  type BodyDeclaration,
  type Method,
  type RouteDeclaration,
  type RouteInput,
  type RouteReply,
  type RouteRequest,
  route,
} from './route.ts';
export { newDelivery } from './routes/deliveries.ts';
export { routes } from './routes/index.ts';
export { newJob } from './routes/jobs.ts';
export { completedLease } from './routes/leases.ts';
