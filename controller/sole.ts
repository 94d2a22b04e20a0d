import { createServer } from "node:net";

/** Held by the one controller that acts. */
export interface Sole {
  release(): void;
}

const AGAIN_MS = 1_000;

/**
 * One controller acts, a second one waits: also one that somebody starts by hand, or a new one beside an old one that `pulumi up` is still
 * stopping. The lock is a name in the kernel (an abstract socket of the master's network namespace), so it ends with its holder, however
 * that ends, and no file is left to be believed.
 * @returns undefined where `stopped` came first
 */
export async function soleController(lock: string, say: (line: string) => void, stopped: () => boolean): Promise<Sole | undefined> {
  for (let said = false; !stopped(); said = true) {
    const server = createServer((socket) => socket.destroy());
    const held = await new Promise<boolean>((resolve, reject) => {
      server.once("error", (e: NodeJS.ErrnoException) => (e.code === "EADDRINUSE" ? resolve(false) : reject(e)));
      server.listen(`\0${lock}`, () => resolve(true));
    });
    if (held) {
      server.unref();
      return { release: () => void server.close() };
    }
    if (!said) say("another controller of this grid is at work: waiting until it ends");
    await new Promise((r) => setTimeout(r, AGAIN_MS));
  }
  return undefined;
}
