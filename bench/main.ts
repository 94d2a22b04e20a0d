import { benchCommand, type Benches } from "./bench";

/** Loaded one by one: a bench without a grid must run where a grid's parts cannot. */
const benches: Benches = {
  pass: async () => (await import("./pass.js")).pass,
  poll: async () => (await import("./poll.js")).poll,
  submit: async () => (await import("./submit.js")).submit,
  scaling: async () => (await import("./scaling.js")).scaling,
  throughput: async () => (await import("./throughput.js")).throughput,
  join: async () => (await import("./join.js")).join,
  recreate: async () => (await import("./recreate.js")).recreate,
};

export const main = (argv: readonly string[], setUp: () => Promise<boolean>): Promise<number> => benchCommand(benches, argv, setUp);
