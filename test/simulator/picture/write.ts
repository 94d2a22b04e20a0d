import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { playDay } from "./day";
import { draw } from "./draw";

/** Where the picture lies, of the compiled file's place. */
export const PICTURE = join(resolve(__dirname, "..", "..", "..", ".."), "docs", "simulated-day.svg");
export const COMMAND = "node dist/test/simulator/picture/write.js";

if (require.main === module) void playDay().then((day) => writeFileSync(PICTURE, draw(day)));
