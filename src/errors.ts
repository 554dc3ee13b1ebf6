/**
 * The two ways a command ends badly. Both are printed as one line, without a stack trace.
 * Anything else that is thrown is a defect and keeps its stack.
 */

/** The user's input was wrong (exit code 2): say file, line or key, what is wrong, how to mend it. */
export class InputError extends Error {
  override name = 'InputError';
}

/** The input was fine but the run failed (exit code 1): disk full, engine error, judge coverage too low. */
export class RunError extends Error {
  override name = 'RunError';
}

/** The run was interrupted after it saved (exit code 130): says how to go on. */
export class Interrupted extends Error {
  override name = 'Interrupted';
}
