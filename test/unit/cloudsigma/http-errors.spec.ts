import { expect } from "chai";
import { cloudErrorFrom, noAnswerError, parseErrors } from "../../../components/cloudsigma/http-errors";
import { BY_STATUS, BY_TYPE, describe as describeError, ERROR_TYPES, explain, STATUSES } from "../../../components/cloudsigma/explain";
import { CloudError, type FailureKind } from "../../../components/errors";

const list = (type: string, message: string, point: string | null = null): string => JSON.stringify([{ error_type: type, error_message: message, error_point: point }]);

const table: [string, number, string, FailureKind, boolean][] = [
  ["a list", 400, list("validation", "field is required", "resource"), "invalid", false],
  ["an object instead of a list", 403, '{"error_message":"user lacks [LIST] on the resource","error_point":null,"error_type":"permission"}', "auth", false],
  ["a wrong state", 403, list("permission", 'cannot start guest in state "started"'), "wrong-state", false],
  ["a refused resize", 403, list("permission", "cannot resize a drive mounted on a running guest"), "wrong-state", false],
  ["a missing object", 404, list("notexist", "object with that uuid does not exist"), "not-found", false],
  ["no credentials, no body", 401, "", "auth", false],
  ["no funds", 402, list("billing", "not enough funds for five days of burst"), "funds", false],
  ["a failed payment", 402, list("payment", "declined"), "funds", false],
  ["a method that is not there", 405, "", "invalid", false],
  ["an Accept that is not served", 406, "", "invalid", false],
  ["an uploaded chunk", 416, list("validation", "chunk 0 already uploaded"), "invalid", false],
  ["too many calls", 429, "", "transient", false],
  ["trouble inside", 500, list("backend", "unknown error"), "transient", true],
  ["trouble with the database", 500, list("database", "x"), "transient", true],
  ["an HTML page of a gateway", 502, "<html><head><title>502 Bad Gateway</title></head><body><h1>502</h1></body></html>", "transient", true],
  ["a collision", 503, list("concurrency", "conflicting operation, retry"), "transient", true],
  ["a gateway that is busy", 503, "<html>busy</html>", "transient", true],
  ["no room", 503, list("permission", "cannot provide enough resources"), "capacity", true],
  ["no room told as permission", 403, list("permission", "cannot provide enough resources for this"), "capacity", false],
  ["a gateway timeout without a body", 504, "", "transient", true],
  ["a redirect", 302, "", "invalid", false],
];

describe("cloudErrorFrom", () => {
  for (const [says, status, body, kind, ambiguous] of table)
    it(`takes ${says} (${status}) for ${kind}`, () => {
      const e = cloudErrorFrom({ call: "PUT servers/x/", status, body, requestId: "r-1" });
      expect(e).to.include({ kind, status, ambiguous, requestId: "r-1" });
      expect(e.message).to.contain("PUT servers/x/").and.to.contain(String(status)).and.to.not.contain("<");
    });
  it("keeps the point and type of the first error and the messages of all", () => {
    const body = JSON.stringify([{ error_type: "validation", error_message: "too small", error_point: "cpu" }, { error_type: "validation", error_message: "too large", error_point: "mem" }]);
    const e = cloudErrorFrom({ call: "POST servers/", status: 400, body });
    expect(e).to.include({ point: "cpu", errorType: "validation" });
    expect(e.message).to.contain("cpu: too small").and.to.contain("mem: too large");
  });
  it("redacts what came from outside", () => {
    const redact = (t: string): string => t.replace("hunter22", "[secret]");
    expect(cloudErrorFrom({ call: "GET x/", status: 400, body: list("validation", "bad hunter22"), redact }).message).to.not.contain("hunter22");
    expect(noAnswerError("GET x/", "bad hunter22", redact).message).to.not.contain("hunter22");
  });
  it("reads no errors out of other JSON", () => {
    for (const body of ["", "null", "3", "[]", '{"a":1}', '"text"', "[null, 1]"]) expect(parseErrors(body)).to.deep.equal([]);
  });
});

describe("explain", () => {
  // the codes of the reference, written down a second time: a code that is added there must be added here
  const statuses = [400, 401, 402, 403, 404, 405, 406, 416, 429, 500, 502, 503, 504];
  const types = ["validation", "notexist", "permission", "concurrency", "backend", "database", "billing", "payment"];
  it("knows every status and type of the reference, and no other", () => {
    expect([...STATUSES].filter((s) => s !== 0).sort()).to.deep.equal([...statuses].sort());
    expect([...ERROR_TYPES].sort()).to.deep.equal([...types].sort());
  });
  for (const [key, e] of [...Object.entries(BY_STATUS), ...Object.entries(BY_TYPE)])
    it(`says cause and next step for ${key}`, () => {
      expect(e.cause).to.match(/^[a-z].{10,}/);
      expect(e.next).to.match(/^[a-z].{10,}/);
    });
  it("gives every kind of failure an explanation", () => {
    const kinds: FailureKind[] = ["not-found", "wrong-state", "auth", "invalid", "funds", "capacity", "transient", "timeout"];
    for (const kind of kinds) expect(explain(new CloudError(kind, "x")).next).to.not.equal("");
  });
  it("tells a person what failed, what it means and what to do", () => {
    const text = describeError(cloudErrorFrom({ call: "POST servers/", status: 402, body: list("billing", "no money") }));
    expect(text).to.contain("no money").and.to.contain("meaning: the account's funds").and.to.contain("what to do: add funds");
  });
});
