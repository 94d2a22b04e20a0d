/** What the rest of the library may ask of OpenStack's APIs; `client.ts` makes one. Knows no Pulumi: the controller uses it too. */

/** Services by their type in the catalog. */
export type Service = "identity" | "compute" | "network" | "image" | "orchestration" | "alarming" | "metric" | "volume";

export type OpenstackAuth =
  | {
      readonly kind: "password";
      readonly username: string;
      readonly password: string;
      readonly userDomain: { readonly id: string } | { readonly name: string };
      readonly project: { readonly id: string } | { readonly name: string; readonly domain: { readonly id: string } | { readonly name: string } };
    }
  | { readonly kind: "applicationCredential"; readonly id: string; readonly secret: string }
  | { readonly kind: "applicationCredential"; readonly name: string; readonly username: string; readonly userDomain: { readonly id: string } | { readonly name: string }; readonly secret: string }
  | { readonly kind: "token"; readonly token: string; readonly projectId?: string };

/** Where the cloud is and how to log in: from the stack's configuration, the environment or clouds.yaml. */
export interface OpenstackSettings {
  /** Keystone's URL, with or without `/v3`. */
  readonly authUrl: string;
  readonly auth: OpenstackAuth;
  readonly region?: string;
  /** Which of the catalog's URLs. @default "public" */
  readonly interface?: "public" | "internal" | "admin";
  /** PEM file of the authority that signed the cloud's certificates. */
  readonly caCertificateFile?: string;
  /** The same as text, for the controller, which has no such file. */
  readonly caCertificates?: string;
  /** Do not check certificates. */
  readonly insecure?: boolean;
  /** Name in clouds.yaml, where the settings come from there. */
  readonly cloudName?: string;
}

/** What a login gave. */
export interface Session {
  readonly projectId: string;
  readonly projectName: string;
  readonly userId: string;
  readonly roles: readonly string[];
  readonly expiresAtMs: number;
}

export type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

export interface CallOptions {
  readonly query?: Query;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/**
 * One project on one cloud. Paths are those of the API reference below the version, such as `/servers/detail` for compute
 * (`…/v2.1`), `/networks` for network (`…/v2.0`), `/stacks/NAME` for orchestration (`…/v1/PROJECT`), `/alarms` (`…/v2`), `/images`
 * (`…/v2`), `/resource/instance` for metric (`…/v1`), `/users/…` for identity (`…/v3`).
 *
 * Reads are repeated on passing failures (network, 429, 500, 502, 503, 504), a few times with a pause; PUT, PATCH and DELETE only where
 * no answer or 503 came; POST never: its caller looks before it repeats. Every failure is a CloudError.
 */
export interface Openstack {
  readonly settings: OpenstackSettings;
  /** Logs in at first use, and again before the token expires. */
  session(): Promise<Session>;
  /** Whether the catalog has the service in this region. */
  has(service: Service): Promise<boolean>;
  /** Base URL with the version, without a slash at the end. */
  endpoint(service: Service): Promise<string>;
  get<T>(service: Service, path: string, options?: CallOptions): Promise<T>;
  /** Undefined on 404. */
  find<T>(service: Service, path: string, options?: CallOptions): Promise<T | undefined>;
  /** All pages of a list; `key` names the member of the answer that holds it, "" where the answer is the list. */
  list<T>(service: Service, path: string, key: string, options?: CallOptions): Promise<readonly T[]>;
  post<T>(service: Service, path: string, body: unknown, options?: CallOptions): Promise<T>;
  put<T>(service: Service, path: string, body: unknown, options?: CallOptions): Promise<T>;
  patch<T>(service: Service, path: string, body: unknown, options?: CallOptions): Promise<T>;
  /** Whether it was there: gone is success. */
  delete(service: Service, path: string, options?: CallOptions): Promise<boolean>;
}
