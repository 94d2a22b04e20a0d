"""Says to gnocchi that the servers of a group are busy (or idle), for labs whose guests do not run: push_cpu.py GROUP PERCENT SECONDS EVERY

GROUP: a Heat stack's name or id, or whatever stands in the servers' metadata metering.server_group."""
import sys
import time

import openstack

from lab import ADMIN, REGION, about
from measures import GROUP, Gnocchi, POLICIES

group, percent, seconds, every = sys.argv[1], float(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
if every not in POLICIES:
    sys.exit(f"measures come every {', '.join(map(str, POLICIES))} s, not every {every} s")
if about.get("virt") == "hosts":
    sys.exit("the guests of this lab run and are measured: make them busy instead")
cloud = openstack.connect(region_name=REGION, **ADMIN)
gnocchi = Gnocchi(every)
names = {group}
stacks = cloud.session.get("/stacks?global_tenant=true", endpoint_filter={"service_type": "orchestration", "region_name": REGION}, raise_exc=False)
if stacks.status_code == 200:
    names |= {s["id"] for s in stacks.json()["stacks"] if s["stack_name"] == group}
values = {}


def members():
    return [s for s in cloud.compute.servers(all_projects=True) if s.metadata.get(GROUP) in names]


def push(at, past=0):
    """One measure for each member; for one without any, also `past` earlier ones, so that there is a rate at once."""
    points = {}
    for server in members():
        step = percent / 100 * server.flavor["vcpus"] * every * 1e9
        if server.id not in values:
            gnocchi.ensure(server)
            before = gnocchi.last(server.id)
            values[server.id] = before or 0.0
            if before is None:
                points[server.id] = [(at - every * (past - i), i * step) for i in range(past)]
                values[server.id] = (past - 1) * step
        values[server.id] += step
        points.setdefault(server.id, []).append((at, values[server.id]))
    if points:
        gnocchi.post(points)
    return len(points)


began = time.time()
# Right in the middle of each interval: exactly one measure per granularity.
at = (began // every) * every + every / 2
if at > began:
    at -= every
count = push(at, past=3)
if count == 0:
    sys.exit(f"no server has {GROUP} = {' or '.join(sorted(names))} in its metadata")
while True:
    at += every
    if at > began + seconds:
        break
    time.sleep(max(0.0, at - time.time()))
    count = push(at)
print(f"{percent:g} % CPU for {count} servers, {time.time() - began:.0f} s")
