import { describe, expect, test } from '@jest/globals';
import { isTracingOn } from '@waybill/infra/telemetry/start-tracing.js';
import { isMapping, list, mapping, yaml } from './files.js';
import { metricsIn, metricsThatExist } from './metrics.js';

const services = mapping(yaml('infra/deploy/compose.yaml'), 'services');
const configuration = yaml('infra/deploy/prometheus/prometheus.yaml');
const jobs = list(configuration, 'scrape_configs');
const rules = list(yaml('infra/deploy/prometheus/alerts.yaml'), 'groups').flatMap((group) => list(group, 'rules'));

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

test('each process sends its traces to the collector, at the port at which it takes them', () => {
  const { port, hostname, protocol } = new URL(
    String(mapping(services, 'write-api', 'environment')['OTEL_EXPORTER_OTLP_ENDPOINT']),
  );
  expect([protocol, hostname]).toEqual(['http:', 'otel-collector']);
  const { endpoint } = mapping(yaml('infra/deploy/otel/collector.yaml'), 'receivers', 'otlp', 'protocols', 'http');
  expect(String(endpoint).split(':')[1]).toBe(port);
  for (const name of ['write-api', 'read-api', 'relay', 'projector', 'fulfilment']) {
    const environment = mapping(services, name, 'environment');
    expect(isTracingOn(environment as NodeJS.ProcessEnv)).toBe(true);
    const shared = (mapping(services, name)['networks'] as string[]).filter((network) =>
      (mapping(services, 'otel-collector')['networks'] as string[]).includes(network),
    );
    expect([name, shared.length > 0]).toEqual([name, true]);
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
