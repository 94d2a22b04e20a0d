import { expect } from "chai";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mintIdToken, poolKeyFile, workerScopes } from "../../../components/policy/tokens";
import { sshKeyPairFromSeed } from "../../../components/policy/ssh-key";

const poolKey = "0123456789abcdef".repeat(4);
const claims = { poolKey, issuer: "grid.internal", subject: "worker@grid.internal", scopes: workerScopes, nowSeconds: 1_700_000_000, jti: "00".repeat(16) };
/** RFC 8032, first test vector. */
const seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";

const GOLDEN =
  "eyJhbGciOiJIUzI1NiIsImtpZCI6IlBPT0wifQ.eyJpYXQiOjE3MDAwMDAwMDAsImlzcyI6ImdyaWQuaW50ZXJuYWwiLCJqdGkiOiIwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMCIsInN1YiI6IndvcmtlckBncmlkLmludGVybmFsIiwic2NvcGUiOiJjb25kb3I6L0FEVkVSVElTRV9TVEFSVEQgY29uZG9yOi9BRFZFUlRJU0VfTUFTVEVSIGNvbmRvcjovUkVBRCJ9.cA7jwW58BEQrkiGnURsjAchqtvEgN0E3O1eLhdGzL_o";

const has = (program: string, ...args: string[]): boolean => spawnSync(program, args, { stdio: "ignore" }).error === undefined;

/** HTCondor's own recipe in another language: HKDF by hand, the pool key doubled. */
const python = `
import sys,hmac,hashlib,json,base64
raw=sys.stdin.buffer.read(); key=bytes(b^(0xde,0xad,0xbe,0xef)[i%4] for i,b in enumerate(raw)).split(b'\\0')[0]*2
prk=hmac.new(b'htcondor',key,hashlib.sha256).digest(); k=hmac.new(prk,b'master jwt\\x01',hashlib.sha256).digest()
b=lambda x: base64.urlsafe_b64encode(x).rstrip(b'=')
pl={'iat':1700000000,'iss':'grid.internal','jti':'00'*16,'sub':'worker@grid.internal','scope':' '.join('condor:/'+a for a in sys.argv[1:])}
h=b(json.dumps({'alg':'HS256','kid':'POOL'},separators=(',',':')).encode()); p=b(json.dumps(pl,separators=(',',':')).encode())
print((h+b'.'+p+b'.'+b(hmac.new(k,h+b'.'+p,hashlib.sha256).digest())).decode())`;

describe("mintIdToken", () => {
  it("makes the token that an independent program makes from the same key file", function () {
    if (!has("python3", "--version")) this.skip();
    expect(mintIdToken(claims)).to.equal(execFileSync("python3", ["-c", python, ...workerScopes], { input: poolKeyFile(poolKey), encoding: "utf8" }).trim());
  });
  it("makes the same token for ever", () => expect(mintIdToken(claims)).to.equal(GOLDEN));
  it("limits a worker to showing itself", () => {
    const payload = JSON.parse(Buffer.from(mintIdToken(claims).split(".")[1] as string, "base64url").toString()) as { scope: string };
    expect(payload.scope.split(" ")).to.have.members(["condor:/ADVERTISE_STARTD", "condor:/ADVERTISE_MASTER", "condor:/READ"]);
  });
  it("expires when told to", () => {
    const payload = JSON.parse(Buffer.from(mintIdToken({ ...claims, lifetimeSeconds: 60 }).split(".")[1] as string, "base64url").toString()) as { exp: number };
    expect(payload.exp).to.equal(1_700_000_060);
  });
});

describe("poolKeyFile", () => {
  it("scrambles as HTCondor does", () => expect(poolKeyFile("aaaaa").toString("hex")).to.equal("bfccdf8ebf"));
  it("refuses a key that HTCondor would cut", () => expect(() => poolKeyFile("a\0b")).to.throw(/NUL/));
});

describe("sshKeyPairFromSeed", () => {
  it("has the public key of the standard's test vector", () => {
    const blob = Buffer.from(sshKeyPairFromSeed(seed).publicKey.split(" ")[1] as string, "base64");
    expect(blob.subarray(-32).toString("hex")).to.equal("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
  });
  it("gives the same pair for the same seed", () => expect(sshKeyPairFromSeed(seed)).to.deep.equal(sshKeyPairFromSeed(seed)));
  it("refuses a short seed", () => expect(() => sshKeyPairFromSeed("abcd")).to.throw(/64 hexadecimal/));
  it("writes a private key that OpenSSH reads", function () {
    if (!has("ssh-keygen", "-?")) this.skip();
    const folder = mkdtempSync(join(tmpdir(), "elastigrid-key-"));
    try {
      for (const comment of ["elastigrid", "a", "ab", "abc", "x".repeat(40)]) {
        const pair = sshKeyPairFromSeed(seed, comment);
        writeFileSync(join(folder, "key"), pair.privateKey, { mode: 0o600 });
        expect(execFileSync("ssh-keygen", ["-y", "-f", join(folder, "key")], { encoding: "utf8" }).trim()).to.equal(pair.publicKey);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
