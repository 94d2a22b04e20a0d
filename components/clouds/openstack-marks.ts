import * as pulumi from "@pulumi/pulumi";
import type { GridConfig } from "../config/grid-config";
import { digest, identityOf } from "../policy/identity";

/** What every object's `description` begins with, followed by the grid's uid. */
export const MARK_PREFIX = "elastigrid:";
/** In the metadata of servers, which have no description that the engine's plugin could set. */
export const GRID_KEY = "elastigrid-grid";
export const IDENTITY_KEY = "elastigrid-id";

/** `elastigrid:GRID/NAME#DIGEST of PROJECT/STACK`. It is part of the call that creates: tags would be a second one, which may be lost. */
export const markText = (gridUid: string, logicalName: string, replacing: unknown, stack: string): string => `${MARK_PREFIX}${identityOf(gridUid, logicalName, replacing)} of ${stack}`;

/** What replaces the master when it changes. */
export const masterReplacing = (config: GridConfig): unknown => ({ image: config.image, network: config.network.cidr });
/** Whether a mark is of something that was made with just this. */
export const replacedWith = (mark: string, replacing: unknown): boolean => mark.includes(`#${digest(replacing)} of `);

/** Marks the objects of one grid in this program's stack. */
export const marker = (gridUid: pulumi.Input<string>) => (logicalName: string, replacing: unknown = {}): pulumi.Output<string> =>
  pulumi.output(gridUid).apply((uid) => markText(uid, logicalName, replacing, `${pulumi.getProject()}/${pulumi.getStack()}`));
