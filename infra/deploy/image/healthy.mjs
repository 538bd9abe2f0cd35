/**
 * Whether the process of this container lives: exit code 0 when an address at which one of ours may listen here answers
 * `/healthz` with 200, else 1. Which process it is need not be known: a container runs one.
 */
const ports = [
  process.env.WAYBILL_HEALTH_PORT,
  process.env.WAYBILL_WRITE_PORT || '4000',
  process.env.WAYBILL_READ_PORT || '4001',
  process.env.WAYBILL_SIMULATOR_PORT || '4003',
].filter(Boolean);

const answers = ports.map(async (port) => {
  const { ok } = await fetch(`http://127.0.0.1:${port}/healthz`, { signal: AbortSignal.timeout(2_000) });
  if (!ok) throw new Error(`port ${port} is not well`);
});
await Promise.any(answers).then(
  () => process.exit(0),
  () => process.exit(1),
);
