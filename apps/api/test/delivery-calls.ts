/** This file owns the calls that the tests of deliveries share. */
import type { TestApi } from './harness.ts';

export const PATH = '/api/v2/deliveries';
export const ENDPOINTS = `${PATH}/endpoints`;
export const URL_ = 'https://example.com/hook';

export function post(api: TestApi, json: unknown, init: RequestInit & { key?: string } = {}, query = '') {
  return api.call(PATH + query, { method: 'POST', json, ...init });
}

export function put(api: TestApi, path: string, json: unknown, key?: string) {
  return api.call(path, { method: 'PUT', json, ...(key !== undefined && { key }) });
}

export async function dataOf(api: TestApi, id: string): Promise<Record<string, unknown>> {
  const answer = await api.call(`/api/v2/queues/deliveries/jobs/${id}`);
  return ((await answer.json()) as { data: Record<string, unknown> }).data;
}
