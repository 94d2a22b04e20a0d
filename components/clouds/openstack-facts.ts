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
  /** Id of the image in the master's boot volume, where there is one already that the configuration still means. */
  readonly bootImage?: string;
  /** What the program uploads, where it does. */
  readonly upload?: ImageUpload;
  readonly flavors: { readonly master: Flavor; readonly workers: Flavor };
  /** Of further worker types by name; the image only where a type has its own. */
  readonly types?: Readonly<Record<string, { readonly flavor: Flavor; readonly image?: { readonly id: string; readonly name: string } }>>;
  /** The floating IP that `grid.address` names; else one is allocated. */
  readonly floatingIp?: { readonly id: string; readonly address: string };
  /** Aodh and Gnocchi are both there and carry the measures: the cloud evaluates the CPU alarms. */
  readonly alarms: boolean;
  /** Id of the subnet pool that gives the private network its IPv6 prefix; undefined: IPv4 only. */
  readonly ipv6Pool?: string;
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

export interface ImageUpload {
  /** Absolute. */
  readonly path: string;
  readonly format: "qcow2" | "raw";
  /** Size of the disk in it. */
  readonly virtualBytes: number;
}
