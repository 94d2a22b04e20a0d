import { createPrivateKey, createPublicKey } from "node:crypto";

export interface SshKeyPair {
  /** PEM of the kind that OpenSSH writes (`openssh-key-v1`), without a passphrase. */
  readonly privateKey: string;
  /** One line for authorized_keys. */
  readonly publicKey: string;
}

/** DER before the 32 bytes of an ed25519 private key (RFC 8410). */
const pkcs8Prefix = Buffer.from("302e020100300506032b657004220420", "hex");
const keyType = "ssh-ed25519";

/**
 * The ed25519 key pair that a random seed stands for: the same seed gives the same bytes for ever, so the pair can be
 * computed from a random resource and needs no resource of its own.
 */
export function sshKeyPairFromSeed(seedHex: string, comment = "elastigrid"): SshKeyPair {
  if (!/^[0-9a-f]{64}$/i.test(seedHex)) throw new RangeError("an ed25519 seed is 64 hexadecimal digits");
  const seed = Buffer.from(seedHex, "hex");
  const key = createPrivateKey({ key: Buffer.concat([pkcs8Prefix, seed]), format: "der", type: "pkcs8" });
  const spki = createPublicKey(key).export({ format: "der", type: "spki" });
  const publicBytes = spki.subarray(spki.length - 32);
  const publicBlob = Buffer.concat([field(keyType), field(publicBytes)]);
  return { privateKey: pem(seed, publicBytes, publicBlob, comment), publicKey: `${keyType} ${publicBlob.toString("base64")} ${comment}` };
}

/** OpenSSH's PROTOCOL.key. The check number is random there; here it comes from the public key, so that the text is stable. */
function pem(seed: Buffer, publicBytes: Buffer, publicBlob: Buffer, comment: string): string {
  const check = publicBytes.subarray(0, 4);
  const inner = Buffer.concat([check, check, field(keyType), field(publicBytes), field(Buffer.concat([seed, publicBytes])), field(comment)]);
  const padding = Buffer.from(Array.from({ length: (8 - (inner.length % 8)) % 8 }, (_, i) => i + 1));
  const one = Buffer.from([0, 0, 0, 1]);
  const all = Buffer.concat([Buffer.from("openssh-key-v1\0"), field("none"), field("none"), field(""), one, field(publicBlob), field(Buffer.concat([inner, padding]))]);
  const lines = all.toString("base64").match(/.{1,70}/g) ?? [];
  return ["-----BEGIN OPENSSH PRIVATE KEY-----", ...lines, "-----END OPENSSH PRIVATE KEY-----", ""].join("\n");
}

function field(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value as string);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
