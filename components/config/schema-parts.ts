import { z } from "zod";

/** What all sections of the configuration's schema share. Messages have the form `rule; fix`. */

export const text = (rule: string, fix: string): string => `${rule}; ${fix}`;

export const whole = (min: number, max: number) =>
  z
    .number()
    .int(text("must be a whole number", "leave out the fraction"))
    .min(min, text(`must be at least ${min}`, `set ${min} or more`))
    .max(max, text(`must be at most ${max}`, `set ${max} or less`));

export const seconds = (min: number, max: number, says: string) => whole(min, max).describe(says).meta({ unit: "seconds" });

export const days = (min: number, max: number, says: string) => whole(min, max).describe(says).meta({ unit: "days" });

export const nonEmpty = (fix: string) =>
  z
    .string()
    .regex(/\S/, text("is empty", fix))
    .regex(/^[^\n\r]*$/, text("must be one line", fix));
