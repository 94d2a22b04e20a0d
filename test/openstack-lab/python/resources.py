"""Waits until every part has reported in, then makes what each test needs: the host's cell mapping, flavors, a tiny
image, the external network, gnocchi's types; idempotent."""
import io
import subprocess
import sys
import time

import openstack

from lab import ADMIN, REGION, about

cloud = openstack.connect(region_name=REGION, **ADMIN)
began = time.time()
LIMIT_SECONDS = 180


def wait(what, done):
    end = time.time() + LIMIT_SECONDS
    last = "no"
    while True:
        try:
            missing = done()
            if not missing:
                print(f"{what}: after {time.time() - began:.1f} s", flush=True)
                return
            last = missing
        except Exception as e:  # not up yet: said if it stays so
            last = repr(e)
        if time.time() > end:
            sys.exit(f"{what}: not ready after {LIMIT_SECONDS} s ({last})")
        time.sleep(0.5)


def call(service, path, method="GET", **more):
    return cloud.session.request(path, method, endpoint_filter={"service_type": service, "region_name": REGION}, raise_exc=False, **more)


def status_is(service, path, wanted=200):
    got = call(service, path).status_code
    return None if got == wanted else f"HTTP {got}"


COMPUTE = {"nova-conductor", "nova-scheduler", "nova-compute"}
AGENTS = {"neutron-linuxbridge-agent", "neutron-l3-agent", "neutron-dhcp-agent", "neutron-metadata-agent"}


def fresh(moment):
    """Whether a sign of life is of this run: after a kill those of the last one still count for the services."""
    return moment is not None and moment.replace(" ", "T")[:19] >= about["startedAt"][:19]


wait("nova services", lambda: COMPUTE - {s.binary for s in cloud.compute.services() if s.state == "up" and fresh(s.updated_at)})
wait("neutron agents", lambda: AGENTS - {a.binary for a in cloud.network.agents() if a.is_alive and fresh(a.last_heartbeat_at)})
wait("heat-engine", lambda: None if any(s["status"] == "up" and fresh(s["updated_at"] or s["created_at"]) for s in call("orchestration", "/services").json()["services"]) else "none is up")
wait("cinder services", lambda: {"cinder-scheduler", "cinder-volume"} - {s["binary"] for s in call("volumev3", "/os-services").json()["services"] if s["state"] == "up" and fresh(s["updated_at"])})
# The scheduler makes no volume before the driver has told it of its room.
wait("cinder back end", lambda: None if call("volumev3", "/scheduler-stats/get_pools").json()["pools"] else "the scheduler knows none")
# Nothing can be scheduled to the host before it is mapped into its cell. Nova's scheduler does it too, but up to a minute later.
if not list(cloud.compute.hypervisors()) and subprocess.run(["nova-manage", "--config-file", "/lab/etc/nova/nova.conf", "cell_v2", "discover_hosts"], check=False).returncode != 0:
    sys.exit("nova-manage cell_v2 discover_hosts failed")
wait("nova host", lambda: None if list(cloud.compute.hypervisors()) else "not mapped into its cell yet")

flavors = {f.name for f in cloud.compute.flavors()}
# an ordinary user may not use a flavor without a disk
for name, ram, vcpus, disk in (("m1.nano", 64, 1, 1), ("m1.tiny", 256, 1, 1), ("m1.small", 512, 1, 5), ("m1.medium", 1024, 2, 10), ("m1.large", 2048, 2, 20),
                              ("g1.small", 512, 1, 2), ("g1.medium", 1024, 1, 5), ("g2.small", 1024, 2, 4), ("g2.medium", 2048, 2, 10), ("g4.large", 4096, 4, 20)):
    if name not in flavors:
        cloud.compute.create_flavor(name=name, ram=ram, vcpus=vcpus, disk=disk)
if not list(cloud.image.images(name="blank")):
    cloud.image.create_image(name="blank", disk_format="raw", container_format="bare", visibility="public",
                             data=io.BytesIO(b"\0" * 1048576), validate_checksum=False)
# What the appliance image says changes with its recipe; servers made from an older one keep their own copy.
with open("/lab/elastigrid-appliance.img", "rb") as f:
    manifest = f.read()
appliance = about["image"]
mine = [i for i in cloud.image.images(name=appliance["name"], visibility="public") if i.properties.get("elastigrid_recipe") == appliance["recipe"]]
if not mine:
    for old in cloud.image.images(name=appliance["name"], visibility="public"):
        cloud.image.delete_image(old.id)
    cloud.image.create_image(name=appliance["name"], disk_format="raw", container_format="bare", visibility="public", data=io.BytesIO(manifest),
                             validate_checksum=False, min_disk=1, min_ram=256, os_distro="debian", os_version="13", elastigrid_recipe=appliance["recipe"])
external = next(iter(cloud.network.networks(name="external")), None) or cloud.network.create_network(
    name="external", is_router_external=True, is_shared=False, provider_network_type="flat", provider_physical_network="external")
if not list(cloud.network.subnets(network_id=external.id)):
    cloud.network.create_subnet(network_id=external.id, name="external", ip_version=4, cidr=about["externalCidr"], gateway_ip=about["address"],
                                is_dhcp_enabled=False, allocation_pools=[{"start": about["floatingFirst"], "end": about["floatingLast"]}])

wait("gnocchi", lambda: status_is("metric", "/v1/archive_policy"))
wait("aodh", lambda: status_is("alarming", "/v2/alarms"))


def ensure_metric(path, body):
    if call("metric", f"{path}/{body['name']}").status_code == 404:
        r = call("metric", path, "POST", json=body)
        if r.status_code != 201:
            sys.exit(f"gnocchi refused {path} {body['name']}: HTTP {r.status_code} {r.text}")


# the resource type that ceilometer would make, and archive policies fine enough for a test
text = {"type": "string", "min_length": 0, "max_length": 255, "required": False}
ensure_metric("/v1/resource_type", {"name": "instance", "attributes": {
    k: dict(text) for k in ("display_name", "host", "image_ref", "flavor_id", "flavor_name", "server_group", "created_at")}})
# lab-rate is for CPU time measured every 5 s: a rate is the difference of two measures, so only this granularity means something
for name, granularities in (("lab-1s", [1]), ("lab-5s", [5]), ("lab-60s", [60]), ("lab-rate", [5])):
    ensure_metric("/v1/archive_policy", {"name": name, "back_window": 0,
                                         "aggregation_methods": ["mean", "rate:mean", "max", "min", "count", "sum"],
                                         "definition": [{"granularity": f"{s}s", "points": 5000} for s in granularities]})
print(f"all there after {time.time() - began:.1f} s")
