import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { family } from "../support/chaos";

/** Processes of a local-cloud's guests, found from outside: what a soak kills, no guest is asked to. */
export class Guests {
  constructor(private readonly cloudPid: number) {}

  /** Processes of that name in the guest of that host name. */
  find(hostName: string, program: string): number[] {
    return family(this.cloudPid).map((p) => p.pid).filter((pid) => commandName(pid) === program && hostNameOf(pid) === hostName);
  }

  signal(hostName: string, program: string, signal: NodeJS.Signals): number {
    const found = this.find(hostName, program);
    for (const pid of found) process.kill(pid, signal);
    return found.length;
  }

  /** From now on no packet reaches or leaves the guest; its card stays up, as where a switch has failed. */
  /** False where the guest has gone meanwhile. */
  async cut(hostName: string): Promise<boolean> {
    if (this.find(hostName, "condor_master").length === 0) return false;
    const chain = (hook: string, card: string): string => `chain ${hook} {\ntype filter hook ${hook} priority -300; policy drop;\n${card} lo accept\n}`;
    await this.nft(hostName, `table inet soak {\n${chain("input", "iif")}\n${chain("output", "oif")}\n}`);
    return true;
  }

  async heal(hostName: string): Promise<void> {
    await this.nft(hostName, "delete table inet soak");
  }

  /** The guest's own nft: the computer may have none. */
  private nft(hostName: string, rules: string): Promise<void> {
    const [pid] = this.find(hostName, "condor_master");
    if (pid === undefined) return Promise.reject(new Error(`no condor_master runs in ${hostName}`));
    return new Promise((resolve, reject) => {
      const args = ["-t", String(pid), "-m", "-n", "--", "/usr/sbin/nft", "-f", "-"];
      const child = execFile(
        "nsenter", args, { timeout: 20_000 }, (e, _out, err) => (e === null ? resolve() : reject(new Error(err.trim() || e.message))),
      );
      child.stdin?.end(`${rules}\n`);
    });
  }
}

const lineOf = (file: string): string => {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return ""; // it has just ended
  }
};
const commandName = (pid: number): string => lineOf(`/proc/${pid}/comm`);
const hostNameOf = (pid: number): string => lineOf(`/proc/${pid}/root/etc/hostname`);
