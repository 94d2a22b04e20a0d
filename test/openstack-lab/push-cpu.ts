import { runInLabTree } from "./enter";
import { inLab, type Places } from "./places";

/** Between two measures, and the granularity of the metric: gnocchi's rate is the difference of two measures. */
export const PUSH_EVERY_SECONDS = 5;

/**
 * Tells gnocchi, for `seconds`, that every server of a group (a Heat stack's name or id) uses `percent` of its CPUs: metric `cpu`
 * of resource `instance`, a measure every 5 s; a server without measures gets three earlier ones, so that it has a rate at once.
 * Servers that join meanwhile are told of too. Answers when the time is over.
 */
export async function pushCpu(places: Places, group: string, percent: number, seconds: number, everySeconds = PUSH_EVERY_SECONDS): Promise<void> {
  const code = await runInLabTree(places, ["/usr/bin/python3", inLab("run/python/push_cpu.py"), group, String(percent), String(seconds), String(everySeconds)]);
  if (code !== 0) throw new Error(`no measures for the servers of ${group}: push-cpu ended with ${code}`);
}
