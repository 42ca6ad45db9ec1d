/** This file owns the words of the system: error codes, bounds. */
export const SYSTEM_ERROR_CODES = [] as const;
export type SystemErrorCode = (typeof SYSTEM_ERROR_CODES)[number];
