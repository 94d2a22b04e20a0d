"""Measures the guests' CPU time every 5 s and writes it to gnocchi: resource `instance`, metric `cpu` (nanoseconds, growing), with
the server's metadata metering.server_group as `server_group`. What ceilometer does."""
import sys
import time

import openstack

from hosts_socket import call
from lab import ADMIN, REGION
from measures import Gnocchi

EVERY_SECONDS = 5
cloud = openstack.connect(region_name=REGION, **ADMIN)
gnocchi = Gnocchi(EVERY_SECONDS)
# A guest that starts again counts from nothing; its metric goes on.
before, last = {}, {}


def measure(at):
    running = {s["uuid"]: s["cpuNs"] for s in call("GET", "/servers")}
    for new in running.keys() - last.keys():
        try:
            gnocchi.ensure(cloud.compute.get_server(new))
        except openstack.exceptions.NotFoundException:
            continue  # deleted meanwhile
        before[new], last[new] = gnocchi.last(new) or 0.0, 0
    values = {}
    for uuid in running.keys() & last.keys():
        if running[uuid] < last[uuid]:
            before[uuid] += last[uuid]
        last[uuid] = running[uuid]
        values[uuid] = [(at, before[uuid] + running[uuid])]
    if values:
        gnocchi.post(values)


while True:
    # In the middle of each interval: exactly one measure per granularity.
    at = (time.time() // EVERY_SECONDS + 1.5) * EVERY_SECONDS
    time.sleep(at - time.time())
    try:
        measure(at)
    except Exception as e:  # a service that is being started again: the next measure tells
        print(f"{time.strftime('%FT%TZ', time.gmtime())} not measured: {e!r}", file=sys.stderr, flush=True)
