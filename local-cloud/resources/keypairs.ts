import { createHash, generateKeyPairSync, randomBytes } from "node:crypto";
import { sshKeyPairFromSeed } from "../../components/policy/ssh-key";
import { commonFilters, commonOrder, listOf } from "../api/envelope";
import { isObject, objectsOf, Reader } from "../api/read-body";
import { created, noContent, ok, type Router } from "../api/router";
import { keyPairView, pubKeyView } from "../api/views";
import type { World } from "../api/world";
import { newUuid } from "../model/ids";
import type { KeyPairRow } from "../model/rows";
import { need, needOwn, param } from "./common";
import { readTags } from "./server-body";

const ALGORITHMS = ["rsa", "ed25519"] as const;

/** MD5 of the key's bytes, in the old colon form. */
export function fingerprint(publicKey: string): string {
  const blob = Buffer.from(publicKey.trim().split(/\s+/)[1] ?? "", "base64");
  return (createHash("md5").update(blob).digest("hex").match(/../g) ?? []).join(":");
}

const field = (bytes: Buffer): Buffer => {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
};

function generate(algorithm: (typeof ALGORITHMS)[number], name: string): { public_key: string; private_key: string } {
  if (algorithm === "ed25519") {
    const pair = sshKeyPairFromSeed(randomBytes(32).toString("hex"), name.replace(/\s+/g, "-"));
    return { public_key: pair.publicKey, private_key: pair.privateKey };
  }
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const jwk = publicKey.export({ format: "jwk" });
  const positive = (text: string | undefined): Buffer => {
    const bytes = Buffer.from(text ?? "", "base64url");
    return (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes;
  };
  const blob = Buffer.concat([field(Buffer.from("ssh-rsa")), field(positive(jwk.e)), field(positive(jwk.n))]);
  return { public_key: `ssh-rsa ${blob.toString("base64")} ${name.replace(/\s+/g, "-")}`, private_key: privateKey.export({ format: "pem", type: "pkcs1" }).toString() };
}

export function keyPairRoutes(world: World, router: Router): void {
  const { store } = world;
  const list = { filters: commonFilters, order: commonOrder };
  for (const tail of ["", "detail/"]) {
    router.on("GET", `/keypairs/${tail}`, (c) => ok(listOf({ ...list, rows: [...store.keypairs.all()], view: keyPairView }, c.query)));
    router.on("GET", `/pubkeys/${tail}`, (c) => ok(listOf({ ...list, rows: [...store.keypairs.all()], view: pubKeyView }, c.query)));
  }
  router.on("POST", "/keypairs/", (c) => {
    const rows = objectsOf(c.body).map((body): KeyPairRow => {
      const r = new Reader(body);
      r.requires("name");
      const name = r.string("name", "");
      const given = r.string("public_key", "").trim();
      const algorithm = r.choice("algorithm_type", "ed25519", ALGORITHMS);
      if (given !== "" && !/^(ssh-|ecdsa-)\S+ [A-Za-z0-9+/=]+/.test(given)) r.fail("public_key", "must be an OpenSSH public key");
      const meta = r.meta("meta", {});
      const tags = readTags(world, r, []);
      const own = r.nullableString("private_key", null);
      r.done();
      const pair = given === "" ? generate(algorithm, name) : { public_key: given, private_key: own };
      return { uuid: newUuid(), owner: store.account.uuid, createdMs: world.clock.now(), name, meta, tags, fingerprint: fingerprint(pair.public_key), ...pair };
    });
    return created(rows.map((row) => keyPairView(store.keypairs.add(row))));
  });
  router.on("GET", "/keypairs/{}/", (c) => ok(keyPairView(need(world, store.keypairs, param(c)))));
  router.on("GET", "/pubkeys/{}/", (c) => ok(pubKeyView(need(world, store.keypairs, param(c)))));
  router.on("PUT", "/keypairs/{}/", (c) => {
    const row = needOwn(world, store.keypairs, param(c));
    const r = new Reader(isObject(c.body) ? c.body : {});
    r.requires("name");
    const publicKey = r.string("public_key", row.public_key).trim();
    const change = { name: r.string("name", row.name), meta: r.meta("meta", row.meta), tags: readTags(world, r, row.tags), public_key: publicKey, private_key: r.nullableString("private_key", row.private_key) };
    r.done();
    Object.assign(row, change, { fingerprint: fingerprint(publicKey) });
    store.touch();
    return ok(keyPairView(row));
  });
  router.on("DELETE", "/keypairs/{}/", (c) => {
    const row = needOwn(world, store.keypairs, param(c), "DELETE");
    for (const s of store.servers.all()) s.pubkeys = s.pubkeys.filter((k) => k !== row.uuid);
    store.keypairs.remove(row.uuid);
    return noContent;
  });
}
