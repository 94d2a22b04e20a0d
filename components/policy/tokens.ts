import { createHmac, hkdfSync } from "node:crypto";

/** HTCondor's IDTOKENS, made without HTCondor: signed JSON that says who a daemon is and what it may do. */
export interface IdTokenClaims {
  /** Text of the pool's signing key (HTCondor stores it scrambled: `poolKeyFile`). */
  readonly poolKey: string;
  /** TRUST_DOMAIN of the pool. */
  readonly issuer: string;
  /** Such as `worker@grid.internal`; the ALLOW_ lists name it. */
  readonly subject: string;
  /** HTCondor authorisations, such as `ADVERTISE_STARTD`: the token can do these and nothing else. Without: all that the subject may. */
  readonly scopes?: readonly string[];
  /** Seconds since 1970. */
  readonly nowSeconds: number;
  /** Unique text for this token; the pool may revoke by it. */
  readonly jti: string;
  /** Never expires where left out. */
  readonly lifetimeSeconds?: number;
}

/** What a worker's token may do: show itself to the collector, and read the few things a starting daemon asks for. */
export const workerScopes = ["ADVERTISE_STARTD", "ADVERTISE_MASTER", "READ"] as const;

export const workerIdentity = (domain: string): string => `worker@${domain}`;

export function mintIdToken(claims: IdTokenClaims): string {
  const payload = {
    iat: claims.nowSeconds,
    iss: claims.issuer,
    jti: claims.jti,
    sub: claims.subject,
    ...(claims.lifetimeSeconds === undefined ? {} : { exp: claims.nowSeconds + claims.lifetimeSeconds }),
    ...(claims.scopes === undefined || claims.scopes.length === 0 ? {} : { scope: claims.scopes.map((s) => `condor:/${s}`).join(" ") }),
  };
  const signed = `${base64url({ alg: "HS256", kid: "POOL" })}.${base64url(payload)}`;
  return `${signed}.${createHmac("sha256", signingKey(claims.poolKey)).update(signed).digest("base64url")}`;
}

/** HTCondor derives the signature's key from the pool key, which it uses doubled for historical reasons. */
function signingKey(poolKey: string): Buffer {
  return Buffer.from(hkdfSync("sha256", Buffer.from(poolKey + poolKey, "utf8"), "htcondor", "master jwt", 32));
}

const base64url = (value: object): string => Buffer.from(JSON.stringify(value), "utf8").toString("base64url");

const scramble = [0xde, 0xad, 0xbe, 0xef] as const;

/** Contents of `/etc/condor/passwords.d/POOL`: scrambled against a casual look, not encrypted. */
export function poolKeyFile(poolKey: string): Buffer {
  if (poolKey.length === 0 || poolKey.includes("\0")) throw new RangeError("a pool key is text without NUL, and not empty");
  return Buffer.from(Buffer.from(poolKey, "utf8").map((byte, i) => byte ^ scramble[i % 4]!));
}
