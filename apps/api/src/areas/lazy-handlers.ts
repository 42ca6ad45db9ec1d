/** This file owns answers whose code few processes need: it is loaded by the first request for one of them. */
import { type RouteDeclaration, routes } from '@sluice/contract';
import type { Handler, Handlers } from '../http/call.ts';

type Routes = typeof routes;
type IdsOf<Tag extends string> = {
  [Id in keyof Routes]: Routes[Id]['tag'] extends Tag ? Id : never;
}[keyof Routes];

type ById = Readonly<Record<string, Handler<RouteDeclaration>>>;

export type AreaHandlers<Tag extends string> = Handlers<Pick<Routes, IdsOf<Tag>>>;

/** Handlers of every route with this tag. `load` runs once; when it fails, that request fails and the next tries again. */
export function lazyHandlers<const Tag extends Routes[keyof Routes]['tag']>(
  tag: Tag,
  load: () => Promise<AreaHandlers<Tag>>,
): AreaHandlers<Tag> {
  let loading: Promise<ById> | undefined;
  const loaded = (): Promise<ById> => {
    loading ??= (load() as Promise<unknown> as Promise<ById>).catch((error: unknown) => {
      loading = undefined;
      throw error;
    });
    return loading;
  };
  const here: readonly RouteDeclaration[] = Object.values(routes).filter((each) => each.tag === tag);
  const handlers = here.map(({ id }): [string, Handler<RouteDeclaration>] => [
    id,
    async (call) => {
      const handler = (await loaded())[id];
      if (!handler) throw new TypeError(`route ${id} has no handler`);
      return await handler(call);
    },
  ]);
  return Object.fromEntries(handlers) as unknown as AreaHandlers<Tag>;
}
