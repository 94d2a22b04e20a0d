"""Measures the guests' CPU time every 5 s and writes it to gnocchi: resource `instance`, metric `cpu` (nanoseconds since the
guest's start, growing), with the server's metadata metering.server_group as `server_group`. What ceilometer does, as a service user."""
import sys
import time

import openstack

from hosts_socket import call
from lab import ADMIN, DEFAULT, AUTH_URL, REGION, secrets
from measures import Gnocchi

EVERY_SECONDS = 5
cloud = openstack.connect(region_name=REGION, **ADMIN)
gnocchi = Gnocchi(openstack.connect(region_name=REGION, auth_url=AUTH_URL, username="gnocchi", password=secrets["service"], project_name="service", **DEFAULT).session, REGION)
known = set()
# A guest that starts again counts from nothing; the metric goes on.
before, last = {}, {}


def measure():
    now = time.time()
    running = {s["uuid"]: s["cpuNs"] for s in call("GET", "/servers")}
    for new in running.keys() - known:
        try:
            server = cloud.compute.get_server(new)
        except openstack.exceptions.NotFoundException:
            continue  # deleted meanwhile
        gnocchi.ensure(server, server.metadata.get("metering.server_group"))
        before[new], last[new] = gnocchi.last(new), 0
        known.add(new)
    values = {}
    for uuid in running.keys() & known:
        if running[uuid] < last[uuid]:
            before[uuid] += last[uuid]
        last[uuid] = running[uuid]
        values[uuid] = [(now, before[uuid] + running[uuid])]
    if values:
        gnocchi.post(values)


while True:
    began = time.time()
    try:
        measure()
    except Exception as e:  # a service that is being started again: the next measure tells
        print(f"{time.strftime('%FT%TZ', time.gmtime())} not measured: {e!r}", file=sys.stderr, flush=True)
    time.sleep(max(0.5, EVERY_SECONDS - (time.time() - began)))
