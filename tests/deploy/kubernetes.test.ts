import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { checkout, read } from '../house/checkout.js';
import { at, filesBelow, list, mapping, pinnedImage, yaml, yamlDocuments, type Mapping } from './files.js';
import { parts } from './parts.js';

const folders = ['infra/deploy/gateway', 'infra/deploy/kubernetes/base', 'infra/deploy/kubernetes/overlays/production'];
/** Parts of objects, which change objects that are there. */
const patches = folders.flatMap((folder) =>
  list(yaml(`${folder}/kustomization.yaml`), 'patches').map(({ path }) => `${folder}/${String(path)}`),
);
const objects = filesBelow('infra/deploy/kubernetes')
  .filter((file) => /(?<!kustomization)\.yaml$/.test(file) && !patches.includes(file))
  .flatMap((file) => yamlDocuments(file));
const kind = (name: string) => objects.filter((object) => object['kind'] === name);
const nameOf = (object: Mapping) => String(at(object, 'metadata', 'name'));
const deployments = kind('Deployment');
const followers = ['relay', 'projector', 'fulfilment'];
const app = 'app.kubernetes.io/name';

/** Names of config maps that a kustomization makes, and of secrets whose making docs/deployment.md shows. */
const generated = folders.flatMap((folder) =>
  list(yaml(`${folder}/kustomization.yaml`), 'configMapGenerator').map(({ name }) => String(name)),
);
const secrets = [...read('docs/deployment.md').matchAll(/create secret generic (\S+)/g)].map(([, name]) => name!);

/** Where the types of an API version's objects are in the package kubernetes-types. */
function typesOf(apiVersion: string): string {
  return apiVersion === 'v1' ? 'core/v1' : apiVersion.replace('.k8s.io', '');
}

test('every object has the fields that Kubernetes knows, and no other', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-kubernetes-'));
  try {
    const lines = objects.map((object, index) => {
      const type = `import('kubernetes-types/${typesOf(String(object['apiVersion']))}').${String(object['kind'])}`;
      return `export const object${index} = ${JSON.stringify(object)} satisfies ${type};`;
    });
    await writeFile(join(folder, 'objects.ts'), lines.join('\n'));
    const compilerOptions = {
      noEmit: true,
      strict: true,
      module: 'esnext',
      moduleResolution: 'bundler',
      types: [],
      paths: { 'kubernetes-types/*': [join(checkout, 'node_modules', 'kubernetes-types', '*')] },
    };
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['objects.ts'] }));
    const compiler = join(checkout, 'node_modules', 'typescript-7', 'bin', 'tsc');
    const check = () => spawnSync(process.execPath, [compiler, '-p', folder], { encoding: 'utf8' }).stdout;
    expect(check()).toBe('');
    await writeFile(join(folder, 'objects.ts'), lines.join('\n').replace('"readOnlyRootFilesystem"', '"readOnly"'));
    expect(check()).toContain('readOnly');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

describe.each(folders)('%s', (folder) => {
  const kustomization = yaml(`${folder}/kustomization.yaml`);

  test('names what is there, and all of it', () => {
    const resources = (kustomization['resources'] ?? []) as string[];
    const patched = list(kustomization, 'patches').map(({ path }) => String(path));
    const files = list(kustomization, 'configMapGenerator').flatMap((one) => (one['files'] ?? []) as string[]);
    for (const path of [...resources, ...patched, ...files]) {
      expect([path, existsSync(join(checkout, folder, path))]).toEqual([path, true]);
    }
    const named = new Set([...resources, ...patched, ...files, 'kustomization.yaml']);
    // The upstreams beside the gateway's files are those of compose.
    if (folder === 'infra/deploy/gateway') named.add('upstreams.conf');
    const there = filesBelow(folder).map((file) => file.slice(folder.length + 1));
    expect(there.filter((file) => !named.has(file))).toEqual([]);
  });
});

test('there is a deployment of every process, and of the gateway', () => {
  // A cluster has a real payment gateway.
  const processes = Object.keys(parts).filter((name) => !['all', 'cli', 'payment-simulator'].includes(name));
  expect(deployments.map(nameOf).toSorted()).toEqual([...processes, 'gateway'].toSorted());
});

describe.each(deployments.map((deployment) => [nameOf(deployment), deployment] as const))('%s', (name, deployment) => {
  const template = mapping(deployment, 'spec', 'template');
  const pod = mapping(template, 'spec');
  const [container, ...more] = list(pod, 'containers');
  const ports = list(container, 'ports').map((port) => port['name']);

  test('has no privilege', () => {
    expect(more).toEqual([]);
    expect(pod['automountServiceAccountToken']).toBe(false);
    expect(kind('ServiceAccount').map(nameOf)).toContain(pod['serviceAccountName']);
    expect(pod['securityContext']).toMatchObject({
      runAsNonRoot: true,
      runAsUser: expect.any(Number),
      seccompProfile: { type: 'RuntimeDefault' },
    });
    expect(container?.['securityContext']).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    for (const forbidden of ['hostNetwork', 'hostPID', 'hostIPC', 'initContainers']) {
      expect(pod[forbidden]).toBeUndefined();
    }
    expect(JSON.stringify(pod)).not.toContain('hostPath');
  });

  test('starts its own process, from an image of one version', () => {
    expect(container?.['image']).toMatch(pinnedImage);
    if (name !== 'gateway') expect(container?.['args']).toEqual([name]);
  });

  test('is asked how it is, at a port it has', () => {
    for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
      expect(ports).toContain(at(container, probe, 'httpGet', 'port'));
    }
    const ready = name === 'gateway' ? '/healthz' : '/readyz';
    expect(at(container, 'readinessProbe', 'httpGet', 'path')).toBe(ready);
    expect(at(container, 'livenessProbe', 'httpGet', 'path')).toBe('/healthz');
    const port = String(at(container, 'ports', 0, 'containerPort'));
    if (name !== 'gateway') {
      const variable = { 'write-api': 'WAYBILL_WRITE_PORT', 'read-api': 'WAYBILL_READ_PORT' }[name];
      expect(container?.['env']).toEqual([{ name: variable ?? 'WAYBILL_HEALTH_PORT', value: port }]);
      expect(at(template, 'metadata', 'annotations', 'prometheus.io/port')).toBe(port);
    }
    if (followers.includes(name)) expect(ports).toEqual(['health']);
  });

  test('has time to stop in order, and bounds', () => {
    expect(pod['terminationGracePeriodSeconds']).toBeGreaterThan(10 + 5);
    for (const bound of ['requests', 'limits']) {
      expect(mapping(container, 'resources', bound)).toEqual({ cpu: expect.any(String), memory: expect.any(String) });
    }
  });

  test('is spread, is not all taken away at once, and there are two at least', () => {
    const labels = mapping(template, 'metadata', 'labels');
    expect(labels[app]).toBe(name);
    expect(mapping(deployment, 'spec', 'selector', 'matchLabels')).toEqual({ [app]: name });
    const spread = list(pod, 'topologySpreadConstraints');
    expect(spread.map(({ topologyKey }) => topologyKey)).toEqual([
      'kubernetes.io/hostname',
      'topology.kubernetes.io/zone',
    ]);
    for (const one of spread) expect(at(one, 'labelSelector', 'matchLabels', app)).toBe(name);
    const budget = kind('PodDisruptionBudget').find((one) => nameOf(one) === name);
    expect(at(budget, 'spec', 'selector', 'matchLabels')).toEqual({ [app]: name });
    const scaler = kind('HorizontalPodAutoscaler').find((one) => nameOf(one) === name);
    // A scaler and a number of replicas would undo one another.
    expect(at(scaler, 'spec', 'minReplicas') ?? at(deployment, 'spec', 'replicas')).toBe(2);
    expect(scaler === undefined).toBe(at(deployment, 'spec', 'replicas') !== undefined);
  });

  test('refers to config maps and secrets that are made', () => {
    const sources = list(container, 'envFrom');
    const maps = sources.map((source) => at(source, 'configMapRef', 'name'));
    const volumes = list(pod, 'volumes');
    const mounted = volumes.map((volume) => at(volume, 'configMap', 'name'));
    expect([undefined, ...generated]).toEqual(expect.arrayContaining([...maps, ...mounted]));
    const referred = sources.map((source) => at(source, 'secretRef', 'name'));
    expect([undefined, ...secrets]).toEqual(expect.arrayContaining(referred));
    const mounts = list(container, 'volumeMounts').map((mount) => mount['name']);
    expect(mounts.toSorted()).toEqual(volumes.map((volume) => volume['name']).toSorted());
  });
});

test('every service, budget, scaler and ingress is of a deployment', () => {
  const names = deployments.map(nameOf);
  for (const service of kind('Service')) {
    const target = at(service, 'spec', 'selector', app);
    expect(names).toContain(target);
    const pod = deployments.find((one) => nameOf(one) === target);
    const ports = list(pod, 'spec', 'template', 'spec', 'containers', 0, 'ports').map(({ name }) => name);
    for (const port of list(service, 'spec', 'ports')) expect(ports).toContain(port['targetPort']);
  }
  for (const one of [...kind('PodDisruptionBudget'), ...kind('HorizontalPodAutoscaler')]) {
    expect(names).toContain(nameOf(one));
  }
  for (const scaler of kind('HorizontalPodAutoscaler')) {
    expect(at(scaler, 'spec', 'scaleTargetRef', 'name')).toBe(nameOf(scaler));
  }
  const backend = at(kind('Ingress')[0], 'spec', 'rules', 0, 'http', 'paths', 0, 'backend', 'service');
  const service = kind('Service').find((one) => nameOf(one) === at(backend, 'name'));
  expect(list(service, 'spec', 'ports').map(({ name }) => name)).toContain(at(backend, 'port', 'name'));
});

test('the gateway looks for the APIs where their services are', () => {
  const text = read('infra/deploy/kubernetes/base/upstreams.conf');
  const namespace = nameOf(kind('Namespace')[0]!);
  const named = [...text.matchAll(/server ([\w-]+)\.([\w-]+)\.svc\.cluster\.local:(\d+)/g)];
  expect(named.map(([, service]) => service)).toEqual(['write-api', 'read-api']);
  for (const [, name, inNamespace, port] of named) {
    const service = kind('Service').find((one) => nameOf(one) === name);
    expect(inNamespace).toBe(namespace);
    expect(String(at(service, 'spec', 'ports', 0, 'port'))).toBe(port);
    expect(at(service, 'spec', 'clusterIP')).toBe('None');
  }
});

test('nothing goes in or out but what a policy names', () => {
  const policies = kind('NetworkPolicy').map((policy) => mapping(policy, 'spec'));
  expect(policies).toContainEqual({ podSelector: {}, policyTypes: ['Ingress', 'Egress'] });
  const names = deployments.map(nameOf);
  const selected = policies.flatMap((policy) => [
    ...Object.values(mapping(policy, 'podSelector', 'matchLabels')),
    ...list(policy, 'podSelector', 'matchExpressions').flatMap(({ values }) => values as string[]),
  ]);
  expect(selected.toSorted()).toEqual(names.toSorted());
});

test('a patch is of an object that is there', () => {
  for (const patch of patches.flatMap((file) => yamlDocuments(file))) {
    expect(kind(String(patch['kind'])).map(nameOf)).toContain(nameOf(patch));
  }
});

test('there is no secret in it', () => {
  expect(kind('Secret')).toEqual([]);
  for (const folder of folders) expect(yaml(`${folder}/kustomization.yaml`)).not.toHaveProperty('secretGenerator');
});
