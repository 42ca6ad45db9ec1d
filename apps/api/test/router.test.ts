import { describe, expect, it } from 'vitest';
import { Router } from '../src/http/router.ts';

function routerOf(...templates: string[]): Router<string> {
  const router = new Router<string>();
  for (const template of templates) router.add('get', template, template);
  return router;
}

describe('a router', () => {
  it('knows a path with and without parameters, by its method', () => {
    const router = routerOf('/a/{x}/b', '/a/fixed', '/a/{x}');

    expect(router.find('GET', '/a/1/b')).toEqual({ found: '/a/{x}/b', params: { x: '1' } });
    expect(router.find('HEAD', '/a/fixed')).toEqual({ found: '/a/fixed', params: {} });
    expect(router.find('GET', '/a/%2F')).toEqual({ found: '/a/{x}', params: { x: '%2F' } });
    expect(router.find('POST', '/a/1')).toBeUndefined();
    expect(router.find('GET', '/a/1/c')).toBeUndefined();
    expect(router.find('GET', '/a/')).toBeUndefined();
  });

  it('takes the rest of the path for a key, and both writings of a root', () => {
    const router = routerOf('/{service}/{key}', '/{service}');

    expect(router.find('GET', '/s/a/b//c')?.params).toEqual({ service: 's', key: 'a/b//c' });
    expect(router.find('GET', '/s')?.found).toBe('/{service}');
    expect(router.find('GET', '/s/')?.found).toBe('/{service}');
  });

  it('refuses patterns that match the same path', () => {
    expect(() => routerOf('/a/{x}/b', '/a/y/{z}')).toThrow('/a/y/:z');
  });
});
