import { seeded } from "../../local-cloud/http/faults";

/** Rate of the measurements that the ancestor of this project reported: 20.9 % of all creations were hit. */
export const ANCESTORS_RATE = 0.209;

export interface FaultOptions {
  readonly seed: number;
  /** Share of creations that are answered by 500 or 503. @default the ancestor's */
  readonly creations?: number;
  /** Share of all calls whose connection is cut. @default 0.01 */
  readonly cuts?: number;
  /** Logins count as creations, too. @default false */
  readonly tokens?: boolean;
}

export interface Request {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
}

/** What happens to a call: before its effect, or after it. */
export interface Fault {
  readonly kind: "500" | "503" | "cut";
  readonly when: "before" | "after";
}

export interface Hit extends Request, Fault {
  /** Of the proxied calls. */
  readonly call: number;
  readonly creates?: string;
}

const CREATIONS: readonly (readonly [string, string, RegExp])[] = [
  ["server", "POST", /^\/v2\.1\/servers$/],
  ["key pair", "POST", /^\/v2\.1\/os-keypairs$/],
  ["server group", "POST", /^\/v2\.1\/os-server-groups$/],
  ["attachment", "POST", /^\/v2\.1\/servers\/[^/]+\/(os-interface|os-volume_attachments)$/],
  ["$1", "POST", /^\/v2\.0\/(networks|subnets|routers|ports|floatingips|security-groups|security-group-rules)$/],
  ["router interface", "PUT", /^\/v2\.0\/routers\/[^/]+\/add_router_interface$/],
  ["image", "POST", /^\/v2\/images$/],
  ["stack", "POST", /^\/v1\/[^/]+\/stacks$/],
  ["application credential", "POST", /^\/v3\/users\/[^/]+\/application_credentials$/],
  ["trust", "POST", /^\/v3\/OS-TRUST\/trusts$/],
  ["alarm", "POST", /^\/v2\/alarms$/],
  ["volume", "POST", /^\/v3\/[^/]+\/volumes$/],
  ["token", "POST", /^\/v3\/auth\/tokens$/],
];

/** What a call creates, in words; undefined for every other call. */
export function created({ method, path }: Request): string | undefined {
  for (const [what, verb, pattern] of CREATIONS) {
    const match = verb === method ? pattern.exec(path.replace(/\/+$/, "")) : null;
    if (match !== null) return what === "$1" ? match[1] : what;
  }
  return undefined;
}

/** Decides for call after call what strikes it; the same seed and the same calls give the same faults. */
export class FaultPlan {
  readonly hits: Hit[] = [];
  creations = 0;
  calls = 0;
  /** Nothing strikes while false; calls are still counted. */
  armed = true;
  private readonly random: () => number;

  constructor(private readonly options: FaultOptions) {
    this.random = seeded(options.seed);
  }

  decide(request: Request): Fault | undefined {
    this.calls += 1;
    const creates = this.struckAs(request);
    if (creates !== undefined) this.creations += 1;
    if (!this.armed) return undefined;
    const { creations = ANCESTORS_RATE, cuts = 0.01 } = this.options;
    const when = (): Fault["when"] => (this.random() < 0.5 ? "before" : "after");
    let fault: Fault | undefined;
    if (creates !== undefined && this.random() < creations) fault = { kind: this.random() < 0.5 ? "500" : "503", when: when() };
    else if (this.mayBeCut(request) && this.random() < cuts) fault = { kind: "cut", when: when() };
    if (fault !== undefined) this.hits.push({ ...request, ...fault, call: this.calls, ...(creates === undefined ? {} : { creates }) });
    return fault;
  }

  private struckAs(request: Request): string | undefined {
    const what = created(request);
    return what === "token" && this.options.tokens !== true ? undefined : what;
  }

  private mayBeCut = (request: Request): boolean => this.options.tokens === true || created(request) !== "token";

  /** Hits in one line, such as `31 of 140 creations (500 before 9, …), 4 cuts`. */
  summary(): string {
    const count = (kind: Fault["kind"], when: Fault["when"]): number => this.hits.filter((h) => h.kind === kind && h.when === when).length;
    const struck = this.hits.filter((h) => h.kind !== "cut").length;
    const rate = this.creations === 0 ? 0 : (100 * struck) / this.creations;
    return `${struck} of ${this.creations} creations struck (${rate.toFixed(1)} %: 500 before ${count("500", "before")}, after ${count("500", "after")}; 503 before ${count("503", "before")}, after ${count("503", "after")}), ` +
      `${count("cut", "before")} + ${count("cut", "after")} of ${this.calls} calls cut before + after their effect`;
  }
}
