export { addressKey, type ClientAddress, clientAddressBy, type TrustedProxies } from './address.ts';
export type { Ask, Decision, Quota, Taken } from './decision.ts';
export { asksFor, enter, type Passage, type RequestFacts, refusalOf } from './gate.ts';
export { type LimitHeaders, limitHeaders } from './headers.ts';
export { DEFAULT_DEADLINE_MS, Limiter, type LimiterOptions, type RefusedSubject } from './limiter.ts';
export { type LimitedContext, limitRequests } from './middleware.ts';
export { Policy, type Tally } from './policy.ts';
