// Makes the one file that `pulumi up` copies to a master: command line program and controller, without Pulumi.
import { join } from "node:path";

/** Writes dist/bundle/elastigrid.cjs. The bundler is loaded late: it comes with the Node packages. */
export async function bundle(root) {
  const { build } = await import("esbuild");
  await build({
    entryPoints: [join(root, "cli", "main.ts")],
    outfile: join(root, "dist", "bundle", "elastigrid.cjs"),
    absWorkingDir: root,
    bundle: true,
    platform: "node",
    target: "node20",
    format: "cjs",
    minifySyntax: true, // names and lines stay, so that a stack trace from a master can be read
    legalComments: "none",
    logLevel: "warning",
  });
}
