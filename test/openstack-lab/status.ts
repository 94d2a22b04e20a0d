import type { LabMemory, LabStatus } from "./control";

/** The lab's state for people. */
export function statusText(lab: LabStatus | undefined, memory: LabMemory | undefined, installed: boolean): string {
  if (lab === undefined) return `OpenStack is down (packages ${installed ? "installed" : "not installed yet"})`;
  const lines = [`OpenStack is ${lab.phase} (for ${Math.round(lab.elapsedSeconds)} s, nova's driver: ${lab.settings.virt}, alarms looked at every ${lab.settings.evaluationSeconds} s)`];
  if (lab.error !== undefined) lines.push(lab.error);
  for (const s of lab.services) {
    const troubles = s.restarts > 0 ? `  restarted ${s.restarts} times, last end: ${s.lastExit}` : "";
    lines.push(`  ${s.name.padEnd(20)} ${s.state}${troubles}`);
  }
  if (memory !== undefined) {
    lines.push(`memory: ${memory.processes} processes, ${memory.pssMiB} MiB (${memory.rssMiB} MiB with shared pages counted in each)`);
    lines.push(`  largest: ${memory.largest.map((l) => `${l.name} ${l.pssMiB}`).join(", ")}`);
  }
  return lines.join("\n");
}
