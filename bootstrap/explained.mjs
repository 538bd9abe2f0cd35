/** A failure whose message already says what is wrong and what to do, so that no stack trace is shown for it. */
export class Explained extends Error {}

/** Runs `work`; an `Explained` failure is written to standard error and ends the process with `exitCode`. */
export async function explained(work, exitCode) {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Explained)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(exitCode);
  }
}
