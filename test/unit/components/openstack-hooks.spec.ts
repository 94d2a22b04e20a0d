import { expect } from "chai";
import { credentialTerm, controllerRoles } from "../../../components/clouds/openstack-credential";
import { cureOf } from "../../../components/clouds/openstack-heal";
import { judge, MOST_REPEATS, type Verdict } from "../../../components/clouds/openstack-hooks";

const creating = (what: string): string => `1 error occurred:\n\t* Error creating openstack_networking_subnet_v2: ${what}\n\n`;

describe("a failed operation on OpenStack", () => {
  const table: ReadonlyArray<readonly [string, boolean, Verdict]> = [
    [creating("Internal Server Error"), false, "repeat"],
    [creating("The service is currently unable to handle the request due to a temporary overloading or maintenance. This is a temporary condition. Try again later."), false, "repeat"],
    [creating("Expected HTTP response code [201] when accessing [POST http://192.0.2.1:9696/v2.0/subnets], but got 502 instead"), false, "repeat"],
    [creating('Post "http://192.0.2.1:9696/v2.0/subnets": EOF'), false, "repeat"],
    [creating('Post "http://192.0.2.1:9696/v2.0/subnets": read tcp 192.0.2.7:1->192.0.2.1:9696: read: connection reset by peer'), false, "repeat"],
    [creating("Too many requests have been sent in a given amount of time"), false, "repeat"],
    [creating("The server timed out waiting for the request"), false, "repeat"],
    // Keystone under load; the role is none of the user's.
    ["Bad request with: [POST …/application_credentials], error message: Invalid application credential: Could not find role assignment with role: 5f2b", false, "repeat"],
    [creating('Bad request with: [POST …], error message: {"NeutronError": {"type": "InvalidInput", "message": "Invalid input for operation: …"}}'), false, "give up"],
    [creating("Quota exceeded for resources: ['network']."), true, "give up"],
    ["Error waiting for instance to become ready: No valid host was found.", false, "give up"],
    ["Error creating openstack_orchestration_stack_v1: The Stack (grid) already exists.", true, "repeat"],
    ["Error creating openstack_orchestration_stack_v1: The Stack (grid) already exists.", false, "give up"],
    ["Security group rule already exists. Rule id is 7.", true, "repeat"],
    ["expected non-nil error with nil state during Create of urn:pulumi:s::p::openstack:networking/port:Port::x", false, "repeat"],
    ["Error creating: You are not authorized to perform the requested action (403 Forbidden)", false, "give up"],
  ];
  for (const [error, removed, verdict] of table) it(`${verdict === "repeat" ? "is repeated" : "is told"}: ${error.replace(/\s+/g, " ").slice(0, 90)}${removed ? " (its leftover removed)" : ""}`, () => expect(judge(error, 0, removed)).to.equal(verdict));
  it("is not repeated for ever", () => expect(judge(creating("Internal Server Error"), MOST_REPEATS, false)).to.equal("give up"));
});

describe("what Heat left behind", () => {
  for (const [status, cure] of [
    ["CREATE_FAILED", "remove"], ["DELETE_FAILED", "remove"], ["ROLLBACK_COMPLETE", "remove"], ["UPDATE_FAILED", "update"], ["CHECK_FAILED", "update"],
    ["CREATE_COMPLETE", "leave"], ["UPDATE_COMPLETE", "leave"], ["UPDATE_IN_PROGRESS", "leave"],
  ] as const)
    it(`${status}: ${cure}`, () => expect(cureOf(status)).to.equal(cure));
});

describe("the controller's credential", () => {
  const terms = { expiresInDays: 365, warnDaysBefore: 30 };
  const day = 86_400_000;
  it("is the same for every run of a term, and never has less left than the warning", () => {
    for (let now = Date.UTC(2026, 0, 1); now < Date.UTC(2030, 0, 1); now += 13 * day) {
      const { number, expiresAt } = credentialTerm(now, terms);
      const left = (Date.parse(expiresAt) - now) / day;
      expect(left).to.be.within(30, 365);
      expect(credentialTerm(now + 3_600_000, terms).number - number).to.be.within(0, 1);
    }
  });
  it("is renewed once a term", () => {
    const numbers = new Set(Array.from({ length: 335 * 4 }, (_, i) => credentialTerm(Date.UTC(2026, 0, 1) + i * day, terms).number));
    expect(numbers.size).to.be.within(4, 5);
  });
  const roles: ReadonlyArray<readonly [readonly string[], readonly string[]]> = [
    [["member", "reader"], ["member"]],
    [["admin", "member", "reader"], ["member"]],
    [["member", "heat_stack_owner"], ["heat_stack_owner", "member"]],
    [["admin"], ["admin"]],
    [["reader"], ["reader"]],
  ];
  for (const [has, gets] of roles) it(`gets ${gets.join(", ")} of ${has.join(", ")}`, () => expect(controllerRoles(has)).to.deep.equal(gets));
});
