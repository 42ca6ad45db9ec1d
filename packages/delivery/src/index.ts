export { DELIVERY_ERROR_CODES, type DeliveryErrorCode } from './schemas.ts';
