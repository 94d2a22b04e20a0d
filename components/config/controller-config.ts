/**
 * What the master is told by `pulumi up`, over ssh: three parts on standard input of `elastigrid master-apply`, as one
 * JSON document. Only `credentials` and `poolKey` are secret; they land in files that root alone can read.
 */
export interface MasterSetup {
  readonly controller: ControllerConfig;
  /** Username and password or a token (CloudSigma); `applicationCredentialId`, `applicationCredentialSecret`, `expiresAt` (OpenStack). */
  readonly credentials: Readonly<Record<string, string>>;
  /** HTCondor's POOL signing key: 64 hexadecimal digits, used as the text they are. */
  readonly poolKey: string;
}

export interface ControllerConfig {
  readonly gridName: string;
  readonly gridUid: string;
  /** HTCondor's TRUST_DOMAIN, UID_DOMAIN and the domain of every host, such as `grid.internal`. */
  readonly poolDomain: string;
  readonly cloud: CloudTarget;
  readonly enrolment: EnrolmentConfig;
  /** How many workers the private network has addresses for. @default not known */
  readonly addresses?: number;
  readonly workers: WorkerLimits;
  readonly scaling: ScalingSettings;
  readonly alarms: AlarmSettings;
}

export type CloudTarget = CloudsigmaTarget | OpenstackTarget;

export interface CloudsigmaTarget {
  readonly kind: "cloudsigma";
  /** API base as the master reaches it (`api_endpoint` of the location), with the trailing slash. */
  readonly endpoint: string;
  /** The stopped server that workers of the first type are cloned from; members carry its uuid in their meta. */
  readonly templateUuid: string;
  /** Those of further worker types by name. @default none */
  readonly templates?: Readonly<Record<string, string>>;
}

/** The group is a Heat stack of its own; the master logs in with an application credential. */
export interface OpenstackTarget {
  readonly kind: "openstack";
  /** Keystone's URL as the master reaches it. */
  readonly authUrl: string;
  readonly region?: string;
  readonly interface?: "public" | "internal" | "admin";
  /** PEM, where no public authority signed the cloud's certificates. */
  readonly caCertificates?: string;
  /** Do not check certificates: as the deploying user is told to. */
  readonly insecure?: boolean;
  readonly stackName: string;
  readonly stackId: string;
  /** What the names of all Heat stacks of this grid begin with: besides the current one there may be a former, whose workers drain. */
  readonly stackPrefix: string;
  /** The stacks of further worker types by name. @default none */
  readonly types?: Readonly<Record<string, { readonly stackName: string; readonly stackId: string }>>;
  /**
   * Aodh's alarms of the group, where the cloud evaluates CPU: the high one resizes the group by itself, the low one only says so
   * and the controller chooses an idle worker. Missing: the controller evaluates both alarms itself.
   */
  readonly alarms?: { readonly highId?: string; readonly lowId?: string };
}

/** Where workers fetch the token that lets them advertise themselves; the master knows them by their MAC. */
export interface EnrolmentConfig {
  /** The master's address on the private network. */
  readonly address: string;
  readonly port: number;
  /** dnsmasq's lease file on the master; missing where the cloud's own DHCP serves the network. */
  readonly leasesFile?: string;
}

export interface WorkerLimits extends WorkerSize {
  /** Over all types together; the workers of the minimum are of the first type. */
  readonly min: number;
  readonly max: number;
  /** Further types beside the first, whose size stands here and whose name is `DEFAULT_TYPE`. @default none */
  readonly types?: readonly WorkerType[];
}

/** Size of one worker, for matching jobs to it. */
export interface WorkerSize {
  readonly vcpus: number;
  readonly memoryMiB: number;
  readonly diskMiB: number;
  /** GPUs and other custom resources by lower-case name. */
  readonly resources?: Readonly<Record<string, number>>;
  /** Attributes that its machine ad carries beside HTCondor's own, as ClassAd expressions. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Per hour: the cheapest type that matches is taken. @default 0 */
  readonly price?: number;
}

export interface WorkerType extends WorkerSize {
  readonly name: string;
  /** Most workers of this type. @default the group's maximum */
  readonly max?: number;
}

/** Of workers whose type nobody named. */
export const DEFAULT_TYPE = "worker";

/** All types, the first one first. */
export const typesOf = (w: WorkerLimits): readonly WorkerType[] => {
  const { min: _min, max: _max, types, ...size } = w;
  return [{ name: DEFAULT_TYPE, ...size }, ...(types ?? [])];
};

/** By this attribute of its machine ad a worker tells its type. */
export const workerTypeAttribute = "ElastigridWorkerType";

/** What is certain of the ad of a worker that nobody has seen yet: its type and labels, and that it has none of the labels of other types only. */
export const declaredAd = (type: WorkerType, all: readonly WorkerType[]): Readonly<Record<string, string>> => {
  const own = new Set(Object.keys(type.labels ?? {}).map((label) => label.toLowerCase()));
  const others = all.flatMap((t) => Object.keys(t.labels ?? {})).filter((label) => !own.has(label.toLowerCase()));
  return { ...Object.fromEntries(others.map((label) => [label, "undefined"])), ...type.labels, [workerTypeAttribute]: `"${type.name}"` };
};

export interface ScalingSettings {
  /** Pause between two looks at queue and cloud. */
  readonly intervalSeconds: number;
  /** Most workers that one decision adds. */
  readonly growStep: number;
  /** Most workers that one decision takes away. */
  readonly shrinkStep: number;
  /** No shrinking this long after the group changed its size. */
  readonly cooldownSeconds: number;
  /** How long a worker is without a job before it may go. */
  readonly idleSeconds: number;
  /** A worker that has not joined by then is replaced. */
  readonly joinTimeoutSeconds: number;
  /** Single-core places kept free beyond what waits. @default 0 */
  readonly spareSlots?: number;
  /** Most workers ordered in a minute. @default no limit beyond growStep: an earlier `up` wrote none */
  readonly createsPerMinute?: number;
  /** Of the workers that work, at most this share is drained at a time to renew them; one always may. @default 10 */
  readonly disruptionPercent?: number;
  /** What the cloud bills at least: among workers equally idle the one nearest the end of its period goes first. @default 0: no matter */
  readonly billingPeriodSeconds?: number;
}

export interface AlarmSettings {
  readonly cpuHigh: AlarmRule;
  readonly cpuLow: AlarmRule;
  /** Further alarms, which the controller judges on both clouds. @default none */
  readonly rules?: readonly MetricRule[];
}

/** A metric against a threshold with a step, or towards a target: see `evaluateRule`. */
export interface MetricRule {
  readonly name: string;
  /** One of `METRICS`, or `journal:WHAT`. */
  readonly metric: string;
  /** Exactly one of these three. */
  readonly above?: number;
  readonly below?: number;
  readonly target?: number;
  readonly periodSeconds: number;
  /** Periods in a row that must agree. */
  readonly evaluationPeriods: number;
  readonly cooldownSeconds: number;
  /** Workers to add, or with a minus to take away. Only with `above` or `below`. */
  readonly step?: number;
}

/** Average CPU of the group's workers against a threshold, for a whole period, as Aodh does. */
export interface AlarmRule {
  readonly enabled: boolean;
  /** Per cent of all vcpus, 0 to 100. */
  readonly thresholdPercent: number;
  readonly periodSeconds: number;
  /** Periods in a row that must agree. */
  readonly evaluationPeriods: number;
  readonly cooldownSeconds: number;
}
