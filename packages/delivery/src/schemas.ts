/** This file owns the words of deliveries: error codes, bounds. */
export const DELIVERY_ERROR_CODES = [] as const;
export type DeliveryErrorCode = (typeof DELIVERY_ERROR_CODES)[number];
