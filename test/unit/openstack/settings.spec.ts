import { expect } from "chai";
import { describeProblem } from "../../../components/errors";
import { readOpenstackSettings, type OpenstackSettingsFound } from "../../../components/openstack/settings";

type Texts = Readonly<Record<string, string>>;
const read = (config: Texts, env: Texts, files: Texts = {}): OpenstackSettingsFound => readOpenstackSettings((k) => config[k], env, (p) => files[p]);
const problems = (f: OpenstackSettingsFound): string => f.problems.map(describeProblem).join("\n");

const password = { OS_AUTH_URL: "https://k.example/v3", OS_USERNAME: "u", OS_PASSWORD: "pw-of-u", OS_PROJECT_NAME: "p" };
const yaml = `
clouds:
  lab:
    auth: { auth_url: "https://k.example", username: u, project_name: p, user_domain_name: Users, project_domain_name: Projects }
    region_name: R1
    interface: internal
    cacert: /etc/ca.pem
  ac:
    auth_type: v3applicationcredential
    auth: { auth_url: "https://k.example", application_credential_id: i, application_credential_secret: sec-ret }
    verify: false
`;
const secure = "clouds:\n  lab:\n    auth: { password: pw-in-secure }\n";

describe("where OpenStack is, and how to log in", () => {
  it("is taken from OS_* variables", () =>
    expect(read({}, password).settings).to.deep.equal({
      authUrl: "https://k.example/v3", auth: { kind: "password", username: "u", password: "pw-of-u", userDomain: { id: "default" }, project: { name: "p", domain: { id: "default" } } },
    }));
  it("is taken from the stack's configuration first", () => {
    const { settings } = read({ "openstack:authUrl": "https://own.example", "openstack:region": "R2", "openstack:endpointType": "publicURL" }, { ...password, OS_REGION_NAME: "R1" });
    expect([settings?.authUrl, settings?.region, settings?.interface]).to.deep.equal(["https://own.example", "R2", "public"]);
  });
  it("is taken from clouds.yaml and the secure.yaml beside it", () =>
    expect(read({}, { OS_CLOUD: "lab", HOME: "/h" }, { "/h/.config/openstack/clouds.yaml": yaml, "/h/.config/openstack/secure.yaml": secure }).settings).to.deep.equal({
      authUrl: "https://k.example", region: "R1", interface: "internal", caCertificateFile: "/etc/ca.pem", cloudName: "lab",
      auth: { kind: "password", username: "u", password: "pw-in-secure", userDomain: { name: "Users" }, project: { name: "p", domain: { name: "Projects" } } },
    }));
  it("is an application credential where one is given", () => {
    const { settings } = read({ "openstack:cloud": "ac" }, { OS_CLIENT_CONFIG_FILE: "/x/clouds.yaml" }, { "/x/clouds.yaml": yaml });
    expect([settings?.auth, settings?.insecure]).to.deep.equal([{ kind: "applicationCredential", id: "i", secret: "sec-ret" }, true]);
  });
  it("is a token where there is no user", () =>
    expect(read({}, { OS_AUTH_URL: "https://k.example", OS_TOKEN: "tok", OS_PROJECT_ID: "p1" }).settings?.auth).to.deep.equal({ kind: "token", token: "tok", projectId: "p1" }));
  it("prefers the first clouds.yaml of the usual places", () =>
    expect(read({}, { OS_CLOUD: "ac", HOME: "/h" }, { "clouds.yaml": yaml, "/h/.config/openstack/clouds.yaml": "clouds: {}" }).settings?.cloudName).to.equal("ac"));

  const wrong: ReadonlyArray<readonly [string, Texts, Texts, Texts, RegExp]> = [
    ["nothing at all, every missing piece at once", {}, {}, {}, /OS_AUTH_URL[^]*OS_USERNAME[^]*OS_PASSWORD[^]*OS_PROJECT_NAME/],
    ["an address that is none", {}, { ...password, OS_AUTH_URL: "k.example:5000" }, {}, /no http or https URL/],
    ["a cloud without a file", {}, { OS_CLOUD: "lab", HOME: "/h" }, {}, /needs a clouds\.yaml.*looked at clouds\.yaml, \/h\/\.config/],
    ["a cloud that the file does not have", {}, { OS_CLOUD: "lob", OS_CLIENT_CONFIG_FILE: "/x/clouds.yaml" }, { "/x/clouds.yaml": yaml }, /lob.*is no cloud.*one of lab, ac/],
    ["a file that is no YAML, without quoting it", {}, { OS_CLOUD: "lab", OS_CLIENT_CONFIG_FILE: "/x/clouds.yaml" }, { "/x/clouds.yaml": "clouds:\n  lab: {password: s3cret\n" }, /is no YAML/],
    ["a credential without its secret", {}, { OS_AUTH_URL: "https://k.example", OS_APPLICATION_CREDENTIAL_ID: "i" }, {}, /OS_APPLICATION_CREDENTIAL_SECRET/],
    ["a credential by name without its user", {}, { OS_AUTH_URL: "https://k.example", OS_APPLICATION_CREDENTIAL_NAME: "n", OS_APPLICATION_CREDENTIAL_SECRET: "sec-ret" }, {}, /needs its user/],
  ];
  for (const [what, config, env, files, says] of wrong)
    it(`refuses ${what}`, () => {
      const found = read(config, env, files);
      expect(problems(found)).to.match(says).and.not.match(/s3cret|sec-ret|pw-/);
      expect(found.settings).to.equal(undefined);
    });
});
