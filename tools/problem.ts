/** Something that the user can mend: what is wrong, and the command or step that fixes it. */
export interface Problem {
  readonly what: string;
  readonly fix: string;
}

/** Set-up cannot go on. `problems` holds all that is known at this point, not the first only. */
export class SetupError extends Error {
  constructor(readonly problems: readonly Problem[]) {
    super(problems.map(problemLine).join("\n"));
    this.name = "SetupError";
  }
}

export const problemLine = (p: Problem): string => `${p.what}: ${p.fix}`;
