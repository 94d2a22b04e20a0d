import type { HostSpec } from "../backend";

/** What cloud-init's NoCloud data source reads. */
export interface Seed {
  readonly userData: Buffer;
  readonly metaData: string;
}

/** A server's meta as the real data source understands it: user data, keys, uuid as instance, name as host name. */
export function renderSeed(spec: Pick<HostSpec, "uuid" | "name" | "meta" | "publicKeys">): Seed {
  const { meta } = spec;
  const encoded = new Set((meta["base64_fields"] ?? "").split(",").map((k) => k.trim()));
  const field = (key: string): Buffer | undefined => {
    const text = meta[key];
    return text === undefined ? undefined : Buffer.from(text, encoded.has(key) ? "base64" : "utf8");
  };
  const keys = [field("ssh_public_key")?.toString("utf8") ?? "", ...spec.publicKeys].flatMap((t) => t.split("\n")).map((k) => k.trim());
  const metaData = {
    "instance-id": spec.uuid,
    "local-hostname": hostName(spec.name, spec.uuid),
    "public-keys": [...new Set(keys.filter((k) => k !== ""))],
  };
  return { userData: field("cloudinit-user-data") ?? Buffer.from("#cloud-config\n{}\n"), metaData: JSON.stringify(metaData) + "\n" };
}

/** Server names are free text; host names are not. */
export const hostName = (name: string, uuid: string): string => {
  const tidy = name.toLowerCase().replace(/[^a-z0-9-]+/g, "-").replace(/^-+/, "").slice(0, 61).replace(/-+$/, "");
  return tidy === "" ? `host-${uuid.slice(0, 8)}` : tidy;
};
