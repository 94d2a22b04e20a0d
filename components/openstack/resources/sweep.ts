import type { CheckResult } from "../../cloudsigma/provider/check";
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
/** Only with the uid, and so with everything else, is it replaced: what is deleted for a replacement sweeps, and must find nothing that lives. */
export const diff = (_id: string, olds: SweepInputs, news: SweepInputs): Promise<{ changes: boolean; replaces: string[] }> => {
  const changed = keys.filter((k) => olds[k] !== news[k]);
  return Promise.resolve({ changes: changed.length > 0, replaces: changed });
};
/** Nothing is made: it only has to be there, so that the engine deletes it. */
export const create = (i: SweepInputs): Promise<{ id: string; outs: SweepInputs }> => Promise.resolve({ id: `${i.gridUid}-${i.scope}`, outs: { ...i } });
export const read = (id: string, props: SweepInputs): Promise<{ id: string; props: SweepInputs }> => Promise.resolve({ id, props });
export const update = (_id: string, _olds: SweepInputs, news: SweepInputs): Promise<{ outs: SweepInputs }> => Promise.resolve({ outs: { ...news } });
const remove = (_id: string, props: SweepInputs): Promise<void> => forPeople(() => sweepGrid(currentApi(), props));
export { remove as delete };
