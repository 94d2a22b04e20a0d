import * as pulumi from "@pulumi/pulumi";

/**
 * An error that shows its message and nothing else: no stack trace (the engine's host reads `stack` all the same, which would map it to
 * sources for half a minute), and no names of the properties that wait for it, which the SDK would put before the message one by one.
 */
export function messageAlone(message: string): pulumi.RunError {
  const error = new pulumi.RunError(message);
  error.stack = message;
  Object.defineProperty(error, "message", { get: () => message, set: () => undefined });
  return error;
}
