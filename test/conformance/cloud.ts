import type { Pool } from "../../controller/ports";
import type { StackTarget } from "../support/stack";

export type CloudName = "cloudsigma" | "openstack";

/** A server as every cloud can show it. */
export interface SeenServer {
  readonly id: string;
  readonly name: string;
  readonly running: boolean;
  readonly vcpus: number;
  readonly memoryMiB: number;
  readonly publicAddresses: readonly string[];
}

/** Anything that a project can own. */
export interface Thing {
  readonly kind: string;
  readonly id: string;
  readonly name: string;
  /** All text by which the object can be known again: description, tags, metadata. Undefined for a kind that can carry none. */
  readonly marks?: string;
}

export interface GroupLimits {
  readonly min: number;
  readonly max: number;
}

/** A pool whose API does not answer, or whose credential is refused. */
export type PoolFault = "away" | "refused";

/**
 * A cloud under the conformance suite: a project of the test's own that begins empty. Everything is looked at past the library, by
 * calls of the test's own.
 */
export interface ConformanceCloud {
  readonly name: CloudName;
  readonly target: StackTarget;
  /** The same with a wrong password, and with an address where nobody listens. */
  readonly wrongPassword: StackTarget & { readonly password: string };
  readonly away: StackTarget & { readonly address: string };
  /** Nothing of it may show anywhere. */
  readonly secrets: readonly string[];
  /** All servers of the project but those that are only templates. */
  servers(): Promise<readonly SeenServer[]>;
  /** Everything that the project owns. */
  things(): Promise<readonly Thing[]>;
  /** What a destroyed grid has left that still costs something, one line each. */
  leaks(): Promise<readonly string[]>;
  /** What a piece of work changed in the project, one line each. */
  writesDuring(work: () => Promise<void>): Promise<readonly string[]>;
  /** What a server was given for its first boot. */
  userData(serverId: string): Promise<string>;
  /** The controller's own adapter, on the target that the program made for it. */
  pool(target: Readonly<Record<string, unknown>>, limits: GroupLimits, fault?: PoolFault): Pool;
  /** Whether the controller's adapter has tidied up after itself; it does so while it observes. */
  atRest(limits: GroupLimits): Promise<boolean>;
  readonly byHand: {
    /** A server that has nothing to do with any grid. */
    addServer(name: string): Promise<string>;
    /** Returns when it has stopped. */
    stop(id: string): Promise<void>;
    /** Returns when it is gone. */
    delete(id: string): Promise<void>;
  };
  close(): Promise<void>;
}
