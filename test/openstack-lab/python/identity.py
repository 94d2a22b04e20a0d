"""Projects, users, roles, services and endpoints of the lab; idempotent."""
from keystoneauth1 import session
from keystoneauth1.identity import v3
from keystoneclient.v3 import client

from lab import ADDRESS, ADMIN, AUTH_URL, PORTS, REGION, secrets

ks = client.Client(session=session.Session(auth=v3.Password(**ADMIN)), endpoint_override=AUTH_URL)


def ensure(manager, name, create, **filters):
    found = [x for x in manager.list(**filters) if x.name == name]
    return found[0] if found else create()


roles = {r.name: r for r in ks.roles.list()}
for name in ("service", "heat_stack_user", "heat_stack_owner", "creator"):
    if name not in roles:
        roles[name] = ks.roles.create(name)
projects = {p: ensure(ks.projects, p, lambda: ks.projects.create(p, "default"), domain="default") for p in ("service", "demo")}


def ensure_user(name, password, domain):
    return ensure(ks.users, name, lambda: ks.users.create(name, domain=domain, password=password), domain=domain)


for name in ("glance", "placement", "nova", "neutron", "heat", "cinder", "gnocchi", "aodh"):
    user = ensure_user(name, secrets["service"], "default")
    for role in ("admin", "service"):
        ks.roles.grant(roles[role], user=user, project=projects["service"])
# an ordinary user: what it may do, everybody may
demo = ensure_user("demo", secrets["demo"], "default")
for role in ("member", "reader"):
    ks.roles.grant(roles[role], user=demo, project=projects["demo"])
heat = ensure(ks.domains, "heat", lambda: ks.domains.create("heat"))
ks.roles.grant(roles["admin"], user=ensure_user("heat_domain_admin", secrets["service"], heat), domain=heat)

catalog = {
    "identity": ("keystone", PORTS["keystone"], "/v3"),
    "image": ("glance", PORTS["glance"], ""),
    "placement": ("placement", PORTS["placement"], ""),
    "compute": ("nova", PORTS["nova"], "/v2.1"),
    "network": ("neutron", PORTS["neutron"], ""),
    "orchestration": ("heat", PORTS["heat"], "/v1/%(tenant_id)s"),
    "cloudformation": ("heat-cfn", PORTS["heatCfn"], "/v1"),
    "volumev3": ("cinderv3", PORTS["cinder"], "/v3/%(tenant_id)s"),
    "metric": ("gnocchi", PORTS["gnocchi"], ""),
    "alarming": ("aodh", PORTS["aodh"], ""),
}
services = {s.type: s for s in ks.services.list()}
endpoints = ks.endpoints.list()
for kind, (name, port, path) in catalog.items():
    service = services.get(kind) or ks.services.create(name, kind)
    url = f"http://{ADDRESS}:{port}{path}"
    for interface in ("public", "internal", "admin"):
        mine = [e for e in endpoints if e.service_id == service.id and e.interface == interface]
        if not mine:
            ks.endpoints.create(service, url, interface=interface, region=REGION)
        elif mine[0].url != url:
            ks.endpoints.update(mine[0], url=url)
