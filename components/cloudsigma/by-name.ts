import type { dynamic } from "@pulumi/pulumi";

/** Modules in `resources/`, here and of OpenStack, that hold a provider's logic. */
export type ProviderKind = "drive" | "server" | "tag" | "key-pair" | "vlan" | "static-ip" | "worker-pool" | "master-ready" | "openstack/sweep" | "openstack/master-ready";

/**
 * A dynamic provider whose methods only find the compiled module by name and call it. The engine stores a provider's
 * text in the state of every resource and runs it elsewhere: so it must be short, hold no secret, and never differ.
 */
export function byName(kind: ProviderKind): dynamic.ResourceProvider {
  const id = "elastigrid/provider/" + kind;
  return {
    configure: (req) => require("module").createRequire(process.cwd() + "/")(id).configure(req),
    check: (olds, news) => require("module").createRequire(process.cwd() + "/")(id).check(olds, news),
    diff: (resourceId, olds, news) => require("module").createRequire(process.cwd() + "/")(id).diff(resourceId, olds, news),
    create: (inputs) => require("module").createRequire(process.cwd() + "/")(id).create(inputs),
    read: (resourceId, props) => require("module").createRequire(process.cwd() + "/")(id).read(resourceId, props),
    update: (resourceId, olds, news) => require("module").createRequire(process.cwd() + "/")(id).update(resourceId, olds, news),
    delete: (resourceId, props) => require("module").createRequire(process.cwd() + "/")(id).delete(resourceId, props),
  };
}
