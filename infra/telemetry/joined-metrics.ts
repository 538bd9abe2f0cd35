import { AggregatorRegistry, type MetricObjectWithValues, type MetricValue, type Registry } from 'prom-client';

/** The metrics of a registry as they go from thread to thread. */
export type MetricsAsJson = readonly MetricObjectWithValues<MetricValue<string>>[];

/**
 * The metrics of this thread and of another in one page: those that both have are added up. While the other does not
 * answer, the page has what there is here.
 */
export function joinedMetrics(
  own: Registry,
  other: () => Promise<MetricsAsJson>,
): Pick<Registry, 'metrics' | 'contentType'> {
  return {
    contentType: own.contentType,
    metrics: async () => {
      const theirs = await other().catch((): MetricsAsJson => []);
      const names = new Set(theirs.map(({ name }) => name));
      // Each is asked once: some begin anew when they were asked.
      const ours = own.getMetricsAsArray().map(({ name }) => name);
      const texts = ours.filter((name) => !names.has(name)).map((name) => own.getSingleMetricAsString(name));
      const both = ours.filter((name) => names.has(name)).map((name) => own.getSingleMetric(name)!.get());
      const joined = AggregatorRegistry.aggregate([await Promise.all(both), [...theirs]]);
      return `${(await Promise.all(texts)).join('\n\n')}\n\n${await joined.metrics()}`;
    },
  };
}
