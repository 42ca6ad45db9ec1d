import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Exposition, observedProduct, type Series } from './observed-product.ts';
import { readPromql } from './promql.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const ALERTS = 'deploy/prometheus/alerts.yml';
/** What Prometheus itself adds to every series, and the bounds of buckets. */
const ITS_OWN = ['job', 'instance', 'le'];

interface Row {
  name: string;
  type: string;
  labels: string[];
}

/** Rows of the tables of docs/metrics.md. */
function documented(): Row[] {
  return [...read('docs/metrics.md').matchAll(/^\| `(sluice_[\w*]+)` \| (\w+) \| ([^|]*)\|/gm)].map(
    ([, name, type, labels]) => ({
      name: name as string,
      type: type as string,
      labels: [...(labels as string).matchAll(/`(\w+)`/g)].map(([, label]) => label as string),
    }),
  );
}

function isAbout({ name }: Row, metric: string): boolean {
  return name.endsWith('*') ? metric.startsWith(name.slice(0, -1)) : name === metric;
}

/** Expressions of the rules, and of the dashboard with its variables filled in. */
function expressions(): { where: string; text: string }[] {
  const rules = [...read(ALERTS).matchAll(/alert: (\w+)\n +expr: (?:\|\n((?: {10}.*\n)+)|(.*)\n)/g)].map(
    ([, where, block, line]) => ({ where: where as string, text: (block ?? line) as string }),
  );
  const { panels } = JSON.parse(read('deploy/grafana/sluice.json')) as {
    panels: { title: string; targets?: { expr: string }[] }[];
  };
  const plots = panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr }) => ({ where: `panel ${title}`, text: expr })),
  );
  return [...rules, ...plots];
}

/** A histogram is asked for by what its samples are called. */
function find(all: ReadonlyMap<string, Series>, metric: string): Series | undefined {
  const histogram = all.get(metric.replace(/_(bucket|sum|count)$/, ''));
  return all.get(metric) ?? (histogram?.type === 'histogram' ? histogram : undefined);
}

function together(...all: Exposition[]): Map<string, Series> {
  const series = new Map<string, Series>();
  for (const { series: own } of all) {
    for (const [name, { type, help, labels }] of own)
      series.set(name, { type, help, labels: new Set([...(series.get(name)?.labels ?? []), ...labels]) });
  }
  return series;
}

describe('what /metrics tells', { timeout: 90_000 }, () => {
  it('is what the page, the rules and the dashboard say of it', async (t) => {
    const { api, worker } = await observedProduct(t);
    const series = together(api, worker);
    const rows = documented();

    for (const [name, { type, labels }] of series) {
      const row = rows.find((each) => isAbout(each, name));
      expect.soft(row, `${name} is in docs/metrics.md`).toBeDefined();
      if (!row || row.type === 'any') continue;
      expect.soft(row.type, name).toBe(type);
      if (labels.size > 0) expect.soft([...labels].sort(), name).toEqual([...row.labels].sort());
    }
    for (const row of rows)
      expect
        .soft(
          [...series.keys()].some((name) => isAbout(row, name)),
          `${row.name} is told`,
        )
        .toBe(true);

    const all = expressions();
    expect(all.length).toBeGreaterThan(40);
    for (const { where, text } of all) {
      const { asked, grouped } = readPromql(text);
      const known = new Set(ITS_OWN);
      for (const { metric, labels } of asked) {
        const found = metric === 'up' ? { labels: new Set<string>() } : find(series, metric);
        expect.soft(found, `${where}: ${metric}`).toBeDefined();
        const own =
          rows.find((row) => isAbout(row, metric.replace(/_(bucket|sum|count)$/, '')))?.labels ?? [];
        for (const label of [...own, ...(found?.labels ?? [])]) known.add(label);
        for (const label of labels)
          expect.soft([...ITS_OWN, ...own, ...(found?.labels ?? [])], `${where}: ${metric}`).toContain(label);
      }
      expect.soft(asked.length, where).toBeGreaterThan(0);
      for (const label of grouped) expect.soft([...known], `${where} groups`).toContain(label);
    }
  });
});

describe('an expression of PromQL', () => {
  it('is read to its metrics, matchers and groups', () => {
    const text =
      'max by (a) (rate(m_total{x=~"y", z!="}"}[5m])) / on (b) sum without (c) (n) > 0.8 and k unless up';

    expect(readPromql(text)).toEqual({
      asked: [
        { metric: 'm_total', labels: ['x', 'z'] },
        { metric: 'n', labels: [] },
        { metric: 'k', labels: [] },
        { metric: 'up', labels: [] },
      ],
      grouped: ['a', 'b', 'c'],
    });
  });

  it.each(['sum(m', 'm)', 'm{a="b"', 'm{a}', 'm ; n', '{a="b"}'])(
    'is refused when it is none: %s',
    (text) => {
      expect(() => readPromql(text)).toThrow(SyntaxError);
    },
  );
});

describe('the alert rules', () => {
  it('have a summary and a severity each, and pass promtool where there is one', () => {
    const names = [...read(ALERTS).matchAll(/^ +- alert: (\w+)$/gm)].map(([, name]) => name);
    const rules = read(ALERTS)
      .split(/^ +- alert: /m)
      .slice(1);
    const promtool = spawnSync('promtool', ['check', 'rules', join(ROOT, ALERTS)], { encoding: 'utf8' });

    expect(new Set(names).size).toBe(names.length);
    for (const rule of rules) {
      expect.soft(rule).toMatch(/severity: (warning|critical)/);
      expect.soft(rule).toMatch(/summary: '[^']+'/);
    }
    if (promtool.error === undefined) expect(promtool.status, promtool.stderr).toBe(0);
    else expect(promtool.error).toMatchObject({ code: 'ENOENT' });
  });
});
