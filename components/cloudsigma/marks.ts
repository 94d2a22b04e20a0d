export { digest, identityOf, stableText } from "../policy/identity";
import type { Meta, Ref } from "./wire";

/** Keys in `meta` by which objects are known again; each at most 32 characters, as the service demands. */
export const MARK = {
  /** The grid (deployment) that the object belongs to. */
  grid: "elastigrid-grid",
  /** Which declared resource it is, with a digest over what cannot be changed in place. */
  id: "elastigrid-id",
  /** Grid name and stack, for people. */
  name: "elastigrid-name",
  stack: "elastigrid-stack",
  /** The object's own uuid: a clone copies it and so betrays itself. */
  self: "elastigrid-self",
  /** Changes whenever a create run takes the object over, so that a late delete of the former owner spares it. */
  generation: "elastigrid-generation",
  /** Uuid of the template: equal to the own uuid on the template, different on its clones. */
  template: "elastigrid-template",
  /** The worker pool: the same on the template and all clones, also when the template is made anew. */
  pool: "elastigrid-pool",
  /** Worker type, on templates of further types and their clones; missing on those of the first one. */
  type: "elastigrid-type",
  /** What a worker is made of (size, image, disk), on the template and copied by clones: another one betrays a worker of a former definition. */
  shape: "elastigrid-shape",
  /** On a template: the shape of those workers that carry none, because they were made before there were such marks. */
  unmarkedShape: "elastigrid-unmarked-shape",
  /** On a template whose pool is being deleted: nobody may clone it any more. */
  closing: "elastigrid-closing",
  /** On a server that is stopped only for a change of its drive: to be started again, also after an interruption. */
  restart: "elastigrid-restart",
  /** Bytes that were declared for a drive whose data are kept: it may have been made larger by hand. */
  declaredSize: "elastigrid-declared-size",
  /** On a paid VLAN or address that was given back and may be taken again. */
  free: "elastigrid-free",
} as const;

export const MARK_PREFIX = "elastigrid-";

/** Which deployment an object belongs to. */
export interface Marks {
  readonly gridUid: string;
  readonly gridName: string;
  /** `project/stack` */
  readonly stack: string;
}

export const markMeta = (marks: Marks, identity: string): Meta => ({
  [MARK.grid]: marks.gridUid,
  [MARK.id]: identity,
  [MARK.name]: marks.gridName,
  [MARK.stack]: marks.stack,
});

/** Meta without our marks: what a user put there. */
export const withoutMarks = (meta: Readonly<Meta> | undefined): Meta =>
  Object.fromEntries(Object.entries(meta ?? {}).filter(([k]) => !k.startsWith(MARK_PREFIX)));

/** Whether the object's marks are its own, not copied from what it was cloned from. */
export const isOriginal = (o: { readonly uuid: string; readonly meta?: Readonly<Meta> }): boolean => {
  const self = o.meta?.[MARK.self];
  return self === undefined || self === "" || self === o.uuid;
};

export const ownedBy = (o: { readonly owner?: Ref | null }, profileUuid: string): boolean => o.owner?.uuid === profileUuid;
