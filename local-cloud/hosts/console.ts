import { closeSync, constants, createWriteStream, openSync } from "node:fs";
import { ReadStream } from "node:tty";
import { run } from "./run";

const MAX_LOG_BYTES = 8 * 2 ** 20;

/** Unlocks the terminal behind a master and prints its number: two ioctls, which Node cannot do. */
const UNLOCK = "my $n = pack('i', 0); ioctl(STDIN, 0x40045431, $n) or die qq(unlock: $!); ioctl(STDIN, 0x80045430, $n) or die qq(number: $!); print unpack('i', $n);";

export interface Console {
  /** Device that becomes the guest's /dev/console. */
  readonly device: string;
  close(): void;
}

/** A serial console: a terminal of the fabric's own devpts, whose output goes to a file. */
export async function openConsole(toolTree: string, logFile: string, onText: (text: string) => void): Promise<Console> {
  const master = openSync("/dev/pts/ptmx", constants.O_RDWR | constants.O_NOCTTY);
  const number = await run("chroot", [toolTree, "perl", "-e", UNLOCK], { stdinFd: master }).catch((e: unknown) => {
    closeSync(master);
    throw e;
  });
  const device = `/dev/pts/${number.trim()}`;
  // Held open, so that the master does not report an error whenever the guest closes its last handle.
  const slave = openSync(device, constants.O_RDWR | constants.O_NOCTTY);
  const log = createWriteStream(logFile, { flags: "a", mode: 0o600 });
  const reader = new ReadStream(master);
  let written = 0;
  reader.on("data", (d: Buffer) => {
    const text = d.toString("latin1").replace(/\r/g, "");
    onText(text);
    if (written > MAX_LOG_BYTES) return;
    written += text.length;
    log.write(text, "latin1");
  });
  reader.on("error", () => reader.destroy()); // EIO: the terminal is gone with its guest
  return {
    device,
    close: () => {
      closeSync(slave);
      reader.destroy();
      log.end();
    },
  };
}
