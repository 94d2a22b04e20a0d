import { benchCommand, type Benches } from "./bench";

const benches: Benches = {
  pass: async () => (await import("./pass.js")).pass,
};

export const main = (argv: readonly string[], setUp: () => Promise<boolean>): Promise<number> => benchCommand(benches, argv, setUp);
