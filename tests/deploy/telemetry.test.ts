import { Registry } from 'prom-client';
import { describe, expect, test } from '@jest/globals';
import { processMetrics } from '@waybill/infra/http/health.js';
import { observeRequests } from '@waybill/infra/http/metrics.js';
import { isMapping, list, mapping, yaml } from './files.js';

const services = mapping(yaml('infra/deploy/compose.yaml'), 'services');
const configuration = yaml('infra/deploy/prometheus/prometheus.yaml');
const jobs = list(configuration, 'scrape_configs');
const rules = list(yaml('infra/deploy/prometheus/alerts.yaml'), 'groups').flatMap((group) => list(group, 'rules'));

/** The metrics that an expression of PromQL names: words that are no function, no keyword, and stand outside of braces. */
function metricsIn(expression: string): readonly string[] {
  const bare = expression
    .replace(/\{[^}]*\}/g, '')
    .replace(/\[[^\]]*\]/g, '')
    .replace(/\b(by|without|on|ignoring|group_left|group_right) *\([^)]*\)/g, '');
  return [...bare.matchAll(/\b[a-z_:][\w:]*\b(?! *\()/gi)]
    .map(([word]) => word)
    .filter((word) => !['and', 'or', 'unless', 'bool', 'offset', 'sum', 'max', 'min', 'avg', 'count'].includes(word));
}

async function metricsThatExist(): Promise<ReadonlySet<string>> {
  const { metrics, countFault } = processMetrics();
  const requests = new Registry();
  observeRequests(requests)('GET', '/v1/orders', 200, 0.1);
  countFault('test');
  const text = await Registry.merge([metrics, requests]).metrics();
  return new Set(['up', ...text.split('\n').flatMap((line) => /^[a-z]\w*/.exec(line)?.[0] ?? [])]);
}

test('expressions are read right', () => {
  expect(
    metricsIn('sum by (job, le) (rate(a_bucket{status=~"5..",x="y"}[5m])) / absent(up{job="b"} == 1) > 1'),
  ).toEqual(['a_bucket', 'up']);
});

describe('alerts', () => {
  test.each(rules.map((rule) => [String(rule['alert']), rule] as const))('%s', async (_name, rule) => {
    const named = metricsIn(String(rule['expr']));
    expect(named.length).toBeGreaterThan(0);
    const existing = await metricsThatExist();
    expect(named.filter((name) => !existing.has(name))).toEqual([]);
    expect(String(mapping(rule, 'annotations')['summary'])).toMatch(/\w{3}.*\.$/s);
    const named_jobs = [...String(rule['expr']).matchAll(/job=~?"([^"]+)"/g)].flatMap(([, value]) => value!.split('|'));
    expect(named_jobs.filter((job) => !jobs.some((one) => one['job_name'] === job))).toEqual([]);
  });
});

test('what is measured is a service, at the port at which it answers', () => {
  const ports: Record<string, string> = { relay: '4002', projector: '4002', fulfilment: '4002' };
  for (const job of jobs) {
    const name = String(job['job_name']);
    expect(Object.keys(services)).toContain(name);
    const found = list(job, 'dns_sd_configs')[0];
    if (found === undefined) continue;
    expect(found['names']).toEqual([name]);
    const environment = mapping(services, name, 'environment');
    const port = environment['WAYBILL_WRITE_PORT'] ?? environment['WAYBILL_READ_PORT'] ?? ports[name];
    expect(String(found['port'])).toBe(port);
  }
});

test('the collector names nothing in a pipeline that it does not have', () => {
  const collector = yaml('infra/deploy/otel/collector.yaml');
  const pipelines = Object.values(mapping(collector, 'service', 'pipelines')).filter(isMapping);
  expect(pipelines.length).toBe(3);
  for (const pipeline of pipelines) {
    for (const kind of ['receivers', 'processors', 'exporters']) {
      const there = Object.keys(mapping(collector, kind));
      expect((pipeline[kind] as string[]).filter((name) => !there.includes(name))).toEqual([]);
    }
  }
});
