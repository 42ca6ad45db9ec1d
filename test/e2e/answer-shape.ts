/** This file owns the comparison of an answer with what documentation tells of it: the same members, of the same types. */

/** Where `answer` has other members or other types than `told`; `null` is of every type, and `...` stands for members untold. */
export function differences(told: unknown, answer: unknown, path = 'answer'): string[] {
  if (told === null || answer === null) return [];
  if (Array.isArray(told) && Array.isArray(answer)) {
    if (told.length > 0 && answer.length === 0) return [`${path} is empty`];
    return told.flatMap((each, at) => differences(each, answer[at] ?? answer[0], `${path}[${at}]`));
  }
  if (typeof told !== 'object' || typeof answer !== 'object') {
    return typeof told === typeof answer
      ? []
      : [`${path} is ${JSON.stringify(answer)}, not as ${JSON.stringify(told)}`];
  }
  const { '...': untold, ...members } = told as Record<string, unknown>;
  const given = answer as Record<string, unknown>;
  const missing = Object.keys(members).filter((name) => !Object.hasOwn(given, name));
  const more = Object.keys(given).filter((name) => untold === undefined && !Object.hasOwn(members, name));
  const shared = Object.keys(members).filter((name) => Object.hasOwn(given, name));
  return [
    ...missing.map((name) => `${path}.${name} is missing`),
    ...more.map((name) => `${path}.${name} is not told of`),
    ...shared.flatMap((name) => differences(members[name], given[name], `${path}.${name}`)),
  ];
}
