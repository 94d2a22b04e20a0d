import type { GridConfig } from "../config/grid-config";
import type { Problem } from "../errors";
import { planNetwork } from "./addresses";

/** A key whose new value would make a new object in place of the one that holds the queue. */
export interface Replacing {
  /** Path in the configuration, such as `grid.master.disk`. */
  readonly path: string;
  /** As wanted, and as it is. */
  readonly wanted: string;
  readonly now: string;
  /** Why the cloud cannot change it in place. */
  readonly why: string;
  /** How to keep what is. */
  readonly keep: string;
}

/** A deployed master, as far as the cloud tells. What it does not tell is left out, and not compared. */
export interface LivingMaster {
  /** What holds the queue; left out where it is gone already. */
  readonly holder?: { readonly what: "disk" | "server"; readonly name: string; readonly id: string };
  readonly gridName?: string;
  readonly cidr?: string;
  readonly vlan?: string;
  readonly sshPort?: number;
  readonly replacing: readonly Replacing[];
}

export interface JudgedChanges {
  /** Each alone is a reason to touch nothing. */
  readonly problems: readonly Problem[];
  /** For whoever runs it, such as what will be lost. */
  readonly notes: readonly string[];
}

/** What goes with the object that holds the queue, and what `up` brings back. */
const LOST = "all jobs, waiting or running, their history, users' files and logs on the master";
const RESTORED = "HTCondor's key and settings, the controller with its settings and credentials, firewall, ssh keys and address";

/**
 * What of a configuration a living grid cannot take without losing its queue, or at all. Jobs, users' files and HTCondor's state live on
 * one disk: it is replaced only where `master.replace` names just this one.
 */
export function judgeChanges(living: LivingMaster, config: GridConfig): JudgedChanges {
  const { holder } = living;
  const permission = config.master.replace;
  const permitted = holder !== undefined && permission === holder.id;
  const replaced = living.replacing.length > 0 && holder !== undefined;
  const problems = settled(living, config, permitted && replaced);
  const notes: string[] = [];
  if (replaced && !permitted)
    for (const { path, wanted, now, why, keep } of living.replacing)
      problems.push({
        path, value: wanted,
        rule: `is not what the master's ${holder.what} ${holder.name} (${holder.id}) has (${now}), and because ${why} it would be replaced: the queue would be lost (${LOST})`,
        fix: `${keep}; or, to lose all that once, set grid.master.replace to ${holder.id}`,
      });
  if (replaced && permitted && problems.length === 0)
    notes.push(
      `grid.master.replace: the master's ${holder.what} ${holder.name} (${holder.id}) is replaced (${living.replacing.map((r) => `${r.path}: ${r.now} -> ${r.wanted}`).join(", ")}). ` +
        `Lost: ${LOST}. Set up again: ${RESTORED}. Workers that run stay; the new controller takes them in, or removes those that do not join.`,
    );
  else if (permission !== undefined && holder !== undefined && !permitted) notes.push(`grid.master.replace names ${permission}, but the queue is on ${holder.what} ${holder.name} (${holder.id}): it permits nothing, remove it`);
  else if (permitted && !replaced) notes.push(`grid.master.replace permits that ${holder.what} ${holder.name} (${holder.id}) is replaced, and no change asks for that: remove it, so that a later one is not permitted by it`);
  return { problems, notes };
}

/** What workers and their jobs are bound to: it stays while the grid lives. A master made anew may listen elsewhere. */
function settled(living: LivingMaster, config: GridConfig, anew: boolean): Problem[] {
  const problems: Problem[] = [];
  const keeps = <T extends string | number>(path: string, now: T | undefined, wanted: T | undefined, rule: string, other: string): void => {
    if (now !== undefined && wanted !== undefined && now !== wanted) problems.push({ path, value: String(wanted), rule, fix: `set it to ${now}, or ${other}` });
  };
  const again = "run `pulumi destroy` first (the queue is lost), or deploy a second grid beside this one (a stack of its own) and move over when the queue is empty";
  keeps("grid.name", living.gridName, config.name, `is not the name of the deployed grid (${living.gridName}): running workers and jobs know the pool as ${living.gridName}.internal and would be lost to it`, again);
  keeps("grid.network.cidr", living.cidr, planNetwork(config.network.cidr).cidr, `is not the range of the deployed grid (${living.cidr}): running workers hold addresses of it and would lose the master, and every job`, again);
  keeps("grid.network.vlan", living.vlan, config.network.vlan, `is not the VLAN of the deployed grid (${living.vlan}): running workers would lose the master, and every job`, again);
  if (!anew)
    keeps("grid.ssh.port", living.sshPort, config.ssh.port, `is not the port of the deployed master (${living.sshPort}): the set-up logs in by it, and could no longer`, "change it together with what replaces the master (see grid.master.replace), or deploy a second grid");
  return problems;
}
