import type { CheckResult } from "../../cloudsigma/provider/check";
import { CloudError } from "../../errors";
import { sweepGrid } from "../sweep-grid";
import { configure, currentApi, forPeople } from "./shared";

export interface SweepInputs {
  readonly gridUid: string;
  /** `stacks`: the grid's Heat stacks only; `all`: everything that carries its mark. */
  readonly scope: "stacks" | "all";
}

const keys = ["gridUid", "scope"] as const;

export { configure };
export const check = (_olds: unknown, news: SweepInputs): Promise<CheckResult<SweepInputs>> => Promise.resolve({ inputs: news, failures: [] });
/** Another uid is another grid: what is deleted for a replacement sweeps, and would find what lives. */
export const diff = (_id: string, olds: SweepInputs, news: SweepInputs): Promise<{ changes: boolean; replaces: string[] }> => {
  if (olds.gridUid !== news.gridUid) return forPeople(() => Promise.reject(new CloudError("invalid", `the grid's uid ${olds.gridUid} would become another one, and all that carries it be lost to the grid; nothing was done: leave the RandomId as it is, or run pulumi destroy first`)));
  const changed = keys.filter((k) => olds[k] !== news[k]);
  return Promise.resolve({ changes: changed.length > 0, replaces: changed });
};
/** Nothing is made: it only has to be there, so that the engine deletes it. */
export const create = (i: SweepInputs): Promise<{ id: string; outs: SweepInputs }> => Promise.resolve({ id: `${i.gridUid}-${i.scope}`, outs: { ...i } });
export const read = (id: string, props: SweepInputs): Promise<{ id: string; props: SweepInputs }> => Promise.resolve({ id, props });
export const update = (_id: string, _olds: SweepInputs, news: SweepInputs): Promise<{ outs: SweepInputs }> => Promise.resolve({ outs: { ...news } });
const remove = (_id: string, props: SweepInputs): Promise<void> => forPeople(() => sweepGrid(currentApi(), props));
export { remove as delete };
