import { expect } from "chai";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sourceHash } from "../../../tools/engine-build";
import { cacheDir } from "../../../tools/paths";
import { mustRun, runCommand } from "../../../tools/process";

const failure = (work: Promise<unknown>): Promise<string> => work.then(() => "no error", (e: Error) => e.message);

describe("running a program", () => {
  it("gives its lines while it runs, and its exit code", async () => {
    const lines: string[] = [];
    const done = await runCommand("sh", ["-c", "echo one; echo two >&2; exit 3"], { onLine: (l) => lines.push(l), timeoutMs: 10_000 });
    expect(done).to.deep.equal({ code: 3, stdout: "one\n", stderr: "two\n" });
    expect(lines).to.have.members(["one", "two"]);
  });
  it("refuses one that is not there, that fails or that takes too long, each in plain words", async () => {
    expect(await failure(runCommand("no-such-program", [], { timeoutMs: 1_000 }))).to.equal("no-such-program is not on PATH");
    expect(await failure(mustRun("sh", ["-c", "echo broken >&2; exit 1"], { timeoutMs: 10_000 }))).to.match(/ended with 1:\nbroken$/);
    expect(await failure(runCommand("sleep", ["30"], { timeoutMs: 100 }))).to.equal("sleep 30 did not end within 0.1 s");
  });
});

describe("what a build is named after", () => {
  it("changes with a source or a version, not with a test", () => {
    const dir = mkdtempSync(join(tmpdir(), "elastigrid-hash-"));
    try {
      mkdirSync(join(dir, "sshtest"));
      writeFileSync(join(dir, "a.go"), "package a");
      const first = sourceHash(dir, "1.0.0");
      for (const test of ["a_test.go", "sshtest/server.go", "notes.md"]) writeFileSync(join(dir, test), "package a");
      expect(sourceHash(dir, "1.0.0")).to.equal(first);
      expect(sourceHash(dir, "1.0.1")).to.not.equal(first);
      writeFileSync(join(dir, "a.go"), "package b");
      expect(sourceHash(dir, "1.0.0")).to.not.equal(first);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});

describe("the cache folder", () => {
  it("follows XDG_CACHE_HOME, but not a relative one", () => {
    expect(cacheDir({ XDG_CACHE_HOME: "/big" })).to.equal("/big/elastigrid");
    expect(cacheDir({ XDG_CACHE_HOME: "big" })).to.match(/^\/.*\/\.cache\/elastigrid$/);
    expect(cacheDir({})).to.match(/\/\.cache\/elastigrid$/);
  });
});
