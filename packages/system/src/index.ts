export { SYSTEM_ERROR_CODES, type SystemErrorCode } from './schemas.ts';
