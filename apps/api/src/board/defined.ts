/** This file owns the difference between an absent member and an undefined one, which Bull Board's page makes. */

/** Without the members that are undefined. */
export function defined<T extends object>(members: T): { [Name in keyof T]?: Exclude<T[Name], undefined> } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as never;
}
