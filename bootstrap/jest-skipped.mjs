/** Jest reporter: says last and loudly which tests did not run, because a skipped promise is not a kept one. */
export default class SkippedReporter {
  onRunComplete(_contexts, results) {
    const skipped = results.testResults.flatMap((file) => {
      const names = file.testResults.filter((one) => one.status === 'pending' || one.status === 'todo');
      return names.length === 0 ? [] : [`  ${file.testFilePath}: ${names.length}, such as "${names[0].fullName}"`];
    });
    if (skipped.length === 0) return;
    const hint = process.env.WAYBILL_TEST_AMQP ? '' : 'What takes servers is run by npm run test:servers.\n';
    process.stderr.write(`\nNOT RUN (skipped):\n${skipped.join('\n')}\n${hint}`);
  }
}
