/** What the adapter must know of a cloud before it declares anything; found out by `discoverOpenstack`, by reads only. */
export interface OpenstackFacts {
  readonly projectId: string;
  readonly userId: string;
  readonly region?: string;
  /** Keystone's URL as the master reaches it. */
  readonly authUrl: string;
  readonly externalNetwork: { readonly id: string; readonly name: string };
  /** For the private network's DHCP; empty where the cloud's own are used. */
  readonly dnsServers: readonly string[];
  /** Undefined where the program uploads it (`openstack.imageFile`). */
  readonly image?: { readonly id: string; readonly name: string };
  readonly flavors: { readonly master: Flavor; readonly workers: Flavor };
  /** Aodh and Gnocchi are both there: the cloud evaluates the CPU alarms. */
  readonly alarms: boolean;
  /** Worth a line in every preview, such as that Aodh is missing. */
  readonly notes: readonly string[];
}

export interface Flavor {
  readonly id: string;
  readonly name: string;
  readonly vcpus: number;
  readonly memoryMiB: number;
  /** 0 where the root disk must be a volume. */
  readonly diskGiB: number;
}
