"""Shows that the cloud works, as the ordinary user: endpoints answer, a tiny Heat stack and a server come and go."""
import sys
import time
import uuid

import openstack

import smoke_guest
from lab import DEMO, REGION, about

cloud = openstack.connect(region_name=REGION, **DEMO)
began = time.time()
TEMPLATE = {"heat_template_version": "2018-08-31", "resources": {"word": {"type": "OS::Heat::RandomString"}},
            "outputs": {"word": {"value": {"get_attr": ["word", "value"]}}}}
name = f"smoke-{uuid.uuid4().hex[:8]}"


def say(text):
    print(f"[{time.time() - began:5.1f} s] {text}", flush=True)


catalog = cloud.session.auth.get_access(cloud.session).service_catalog.catalog
for entry in sorted(catalog, key=lambda e: e["type"]):
    url = next(e["url"] for e in entry["endpoints"] if e["interface"] == "public")
    root = "/".join(url.split("/")[:3]) + "/"
    got = cloud.session.get(root, authenticated=False, raise_exc=False).status_code
    say(f"{entry['type']:15} {url}  HTTP {got}")
    if got >= 500:
        sys.exit(f"{entry['type']} does not work")

problems = []
address = None
made = []
try:
    stack = cloud.orchestration.create_stack(name=name, template=TEMPLATE, timeout_mins=2)
    made.append(("stack", lambda: cloud.orchestration.delete_stack(stack.id), lambda: cloud.orchestration.wait_for_delete(cloud.orchestration.get_stack(stack.id), interval=1, wait=90)))
    stack = cloud.orchestration.wait_for_status(cloud.orchestration.get_stack(stack.id), "CREATE_COMPLETE", failures=["CREATE_FAILED"], interval=1, wait=90)
    say("stack CREATE_COMPLETE")
    network = cloud.network.create_network(name=name)
    made.append(("network", lambda: cloud.network.delete_network(network.id, ignore_missing=False), lambda: None))
    cloud.network.create_subnet(network_id=network.id, name=name, ip_version=4, cidr="10.99.0.0/24")
    server = cloud.compute.create_server(name=name, flavor_id=cloud.compute.find_flavor("m1.nano").id, image_id=cloud.image.find_image("blank").id, networks=[{"uuid": network.id}])
    made.append(("server", lambda: cloud.compute.delete_server(server.id), lambda: cloud.compute.wait_for_delete(server, interval=1, wait=90)))
    server = cloud.compute.wait_for_server(server, interval=1, wait=90)
    say(f"server {server.status} at {[a['addr'] for n in server.addresses.values() for a in n]}")
    if cloud.session.get("/v2/alarms", endpoint_filter={"service_type": "alarming", "region_name": REGION}).status_code != 200:
        problems.append("aodh does not list alarms")
    if cloud.session.get("/v1/resource_type/instance", endpoint_filter={"service_type": "metric", "region_name": REGION}).status_code != 200:
        problems.append("gnocchi does not know the resource type instance")
    if about.get("virt") == "hosts":
        address = smoke_guest.run(cloud, network, name, made, say)
finally:
    for what, delete, gone in reversed(made):
        try:
            delete()
            gone()
            say(f"{what} deleted")
        except openstack.exceptions.NotFoundException:
            say(f"{what} deleted")
        except Exception as e:
            problems.append(f"{what} {name} not deleted: {e!r}")
if address is not None:
    smoke_guest.is_gone(address)
if problems:
    sys.exit("; ".join(problems))
say("smoke passed")
