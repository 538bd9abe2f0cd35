import { Ajv } from 'ajv';
import { describe, expect, test } from '@jest/globals';
import { read } from '../house/checkout.js';
import { metricsIn, metricsThatExist } from './metrics.js';

/** What Grafana asks of a dashboard's file, as far as this one goes: nothing else may stand in it. */
const text = { type: 'string', minLength: 1 };
const datasource = {
  type: 'object',
  properties: { type: { const: 'prometheus' }, uid: { const: '${prometheus}' } },
  required: ['type', 'uid'],
  additionalProperties: false,
};
const gridPos = {
  type: 'object',
  properties: {
    h: { type: 'integer', minimum: 1 },
    w: { type: 'integer', minimum: 1, maximum: 24 },
    x: { type: 'integer', minimum: 0, maximum: 23 },
    y: { type: 'integer', minimum: 0 },
  },
  required: ['h', 'w', 'x', 'y'],
  additionalProperties: false,
};
const panel = { id: { type: 'integer', minimum: 1 }, title: text, gridPos };
const row = {
  type: 'object',
  properties: { ...panel, type: { const: 'row' }, collapsed: { const: false }, panels: { type: 'array', maxItems: 0 } },
  required: ['id', 'type', 'title', 'gridPos', 'collapsed', 'panels'],
  additionalProperties: false,
};
const timeseries = {
  type: 'object',
  properties: {
    ...panel,
    type: { const: 'timeseries' },
    description: text,
    datasource,
    fieldConfig: {
      type: 'object',
      properties: {
        defaults: {
          type: 'object',
          properties: {
            unit: { enum: ['reqps', 'ops', 's', 'bytes', 'percentunit', 'short'] },
            min: { type: 'number' },
            custom: { type: 'object' },
          },
          required: ['unit'],
          additionalProperties: false,
        },
        overrides: { type: 'array', maxItems: 0 },
      },
      required: ['defaults', 'overrides'],
      additionalProperties: false,
    },
    options: { type: 'object' },
    targets: {
      type: 'array',
      minItems: 1,
      items: {
        type: 'object',
        properties: { refId: { type: 'string', pattern: '^[A-Z]$' }, datasource, expr: text, legendFormat: text },
        required: ['refId', 'datasource', 'expr', 'legendFormat'],
        additionalProperties: false,
      },
    },
  },
  required: ['id', 'type', 'title', 'description', 'gridPos', 'datasource', 'fieldConfig', 'targets'],
  additionalProperties: false,
};
const schema = {
  type: 'object',
  properties: {
    uid: { type: 'string', pattern: '^[A-Za-z0-9_-]{1,40}$' },
    title: text,
    schemaVersion: { type: 'integer', minimum: 36 },
    templating: {
      type: 'object',
      properties: {
        list: {
          type: 'array',
          items: { type: 'object', properties: { name: text, type: text }, required: ['name', 'type'] },
        },
      },
      required: ['list'],
    },
    time: { type: 'object', properties: { from: text, to: text }, required: ['from', 'to'] },
    panels: { type: 'array', minItems: 1, items: { anyOf: [row, timeseries] } },
  },
  required: ['uid', 'title', 'schemaVersion', 'templating', 'time', 'panels'],
};

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly gridPos: { readonly h: number; readonly w: number; readonly x: number; readonly y: number };
  readonly targets?: readonly { readonly refId: string; readonly expr: string }[];
}

const dashboard = JSON.parse(read('infra/deploy/grafana/waybill.json')) as {
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string }[] };
};
const drawn = dashboard.panels.filter(({ targets }) => targets !== undefined);

describe('the dashboard', () => {
  test('is what Grafana takes', () => {
    const validate = new Ajv({ allErrors: true }).compile(schema);
    validate(dashboard);
    expect(validate.errors ?? []).toEqual([]);
  });

  test('has its panels side by side and each once', () => {
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
    const cells = dashboard.panels.flatMap(({ gridPos: { h, w, x, y } }) =>
      Array.from({ length: h * w }, (_, cell) => `${x + (cell % w)}/${y + Math.floor(cell / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    expect(Math.max(...dashboard.panels.map(({ gridPos: { x, w } }) => x + w))).toBeLessThanOrEqual(24);
  });

  test.each(drawn.map((panel) => [panel.title, panel] as const))(
    'shows what is measured: %s',
    async (_title, panel) => {
      const existing = await metricsThatExist();
      const refIds = panel.targets!.map(({ refId }) => refId);
      expect(new Set(refIds).size).toBe(refIds.length);
      for (const { expr } of panel.targets!) {
        const named = metricsIn(expr);
        expect(named.length).toBeGreaterThan(0);
        expect(named.filter((name) => !existing.has(name))).toEqual([]);
      }
    },
  );

  test('knows every metric of the work that is done', async () => {
    const shown = drawn.flatMap(({ targets }) => targets!.flatMap(({ expr }) => metricsIn(expr)));
    const families = [...(await metricsThatExist())]
      .filter((name) => name.startsWith('waybill_'))
      .map((name) => name.replace(/_(bucket|sum|count)$/, ''));
    const missing = [...new Set(families)].filter((family) => !shown.some((name) => name.startsWith(family)));
    expect(missing).toEqual([]);
  });
});
