// Before each test file: where WAYBILL_TEST_SEED is set, all properties begin with that seed.
if (process.env.WAYBILL_TEST_SEED) {
  const { default: fc } = await import('fast-check');
  fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(process.env.WAYBILL_TEST_SEED) });
}
