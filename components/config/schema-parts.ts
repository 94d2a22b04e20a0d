import { z } from "zod";
import { parseSizeMiB } from "../policy/sizes";

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

/** As a person writes it: `2 GiB`. */
export const size = (minMiB: number, minText: string, says: string) =>
  z
    .string()
    .refine((s) => parseSizeMiB(s) !== undefined, {
      message: text("must be a number and a binary unit (MiB, GiB or TiB), making whole MiB", 'write it like "2 GiB" or "512 MiB"'),
      abort: true,
    })
    .refine((s) => parseSizeMiB(s)! >= minMiB, text(`must be at least ${minText}`, `set "${minText}" or more`))
    .describe(says)
    .meta({ unit: "size" });

export const uuid = z.string().regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, text("must be a uuid", "copy it from the cloud's web console"));
