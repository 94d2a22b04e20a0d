import type { OpenstackAuth, OpenstackSettings, Session } from "./api";

/** A scoped token, and where the services are. */
export interface Login {
  readonly session: Session;
  readonly token: string;
  readonly catalog: readonly CatalogEntry[];
}

export interface CatalogEntry {
  readonly type: string;
  readonly endpoints: ReadonlyArray<{ readonly interface: string; readonly url: string; readonly region_id?: string | null; readonly region?: string | null }>;
}

/** Keystone's answer to `POST /auth/tokens`, as far as it matters. */
export interface TokenAnswer {
  readonly token: {
    readonly expires_at: string;
    readonly user: { readonly id: string };
    readonly project?: { readonly id: string; readonly name: string };
    readonly roles?: ReadonlyArray<{ readonly name: string }>;
    readonly catalog?: readonly CatalogEntry[];
  };
}

/** Keystone's base with its version. */
export const identityBase = (authUrl: string): string => {
  const url = authUrl.replace(/\/+$/, "");
  return /\/v3$/.test(url) ? url : `${url.replace(/\/v2\.0$/, "")}/v3`;
};

/** Body of `POST /auth/tokens`. */
export function tokenRequest(settings: OpenstackSettings): object {
  const { auth } = settings;
  const { identity, scope } = methodOf(auth);
  return { auth: { identity, ...(scope === undefined ? {} : { scope }) } };
}

function methodOf(auth: OpenstackAuth): { identity: object; scope?: object } {
  switch (auth.kind) {
    case "password":
      return {
        identity: { methods: ["password"], password: { user: { name: auth.username, domain: auth.userDomain, password: auth.password } } },
        scope: { project: "id" in auth.project ? { id: auth.project.id } : { name: auth.project.name, domain: auth.project.domain } },
      };
    case "applicationCredential": {
      const who = "id" in auth ? { id: auth.id } : { name: auth.name, user: { name: auth.username, domain: auth.userDomain } };
      return { identity: { methods: ["application_credential"], application_credential: { ...who, secret: auth.secret } } };
    }
    case "token":
      return { identity: { methods: ["token"], token: { id: auth.token } }, ...(auth.projectId === undefined ? {} : { scope: { project: { id: auth.projectId } } }) };
  }
}

export const sessionOf = ({ token }: TokenAnswer): Session => ({
  projectId: token.project?.id ?? "",
  projectName: token.project?.name ?? "",
  userId: token.user.id,
  roles: (token.roles ?? []).map((r) => r.name),
  expiresAtMs: Date.parse(token.expires_at),
});
