"""nova's driver for guests that run: every server is a Linux host of its own (systemd in namespaces, on the appliance
tree) that the lab's guests process starts. This file only translates; guests-main.ts answers on /lab/run/guests.sock.

What it does not know says so (pause, suspend, rescue, snapshot, resize: NotImplementedError), except for what the fake
driver pretends about the host itself.
"""
import json
import os
import time

import eventlet
from nova import exception
from nova.compute import power_state
from nova.image import glance
from nova.virt import event as virtevent
from nova.virt import fake, hardware
import nova.conf
from oslo_log import log as logging

from hosts_socket import call

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)

MANIFEST_BYTES = 65536
CONSOLE_BYTES = 102400
LOOK_SECONDS = 2
# An end is told a moment later: it may be half of a reboot.
SETTLE_SECONDS = 3
DEFAULT_OFF_SECONDS = 30


def cards(network_info):
    return [{"device": vif["devname"], "bridge": vif["network"]["bridge"], "mac": vif["address"].lower(),
             "mtu": int(vif["network"].get_meta("mtu") or 1500)} for vif in network_info or []]


class HostsDriver(fake.FakeDriver):
    capabilities = dict(fake.FakeDriver.capabilities, supports_attach_interface=False, supports_tagged_attach_interface=False)
    vcpus = os.cpu_count()
    memory_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    local_gb = 200

    def init_host(self, host):
        super().init_host(host)
        self._recipes = {}
        eventlet.spawn(self._watch)

    # Who runs

    def _running(self):
        return {s["uuid"] for s in call("GET", "/servers")}

    def list_instance_uuids(self):
        return list(self._running())

    def list_instances(self):
        return self.list_instance_uuids()

    def get_num_instances(self):
        return len(self._running())

    def get_info(self, instance, use_cache=True):
        on = instance.uuid in self._running()
        if not on and not os.path.isdir(self._folder(instance)):
            raise exception.InstanceNotFound(instance_id=instance.uuid)
        return hardware.InstanceInfo(state=power_state.RUNNING if on else power_state.SHUTDOWN)

    def _watch(self):
        """Tells nova of guests that ended by themselves, as a hypervisor does."""
        before = set()
        while True:
            try:
                now = self._running()
                for uuid in before - now:
                    eventlet.spawn_after(SETTLE_SECONDS, self._tell_stopped, uuid)
                before = now
            except Exception:
                LOG.exception("cannot ask the guests process who runs")
            time.sleep(LOOK_SECONDS)

    def _tell_stopped(self, uuid):
        if uuid not in self._running():
            self.emit_event(virtevent.LifecycleEvent(uuid, virtevent.EVENT_LIFECYCLE_STOPPED))

    # The image

    @staticmethod
    def _folder(instance):
        return os.path.join("/lab/state/nova/servers", instance.uuid)

    def _fetch(self, context, instance, image_meta):
        """Gets the image from Glance and keeps what it says next to the server's drive."""
        os.makedirs(self._folder(instance), exist_ok=True)
        path = os.path.join(self._folder(instance), "image")
        api = glance.API()
        if not image_meta.obj_attr_is_set("id") or not image_meta.id:
            raise exception.NovaException("this lab's servers boot from an image, not from a volume")
        if api.get(context, image_meta.id)["size"] > MANIFEST_BYTES:
            with open(path, "w"):
                return
        api.download(context, image_meta.id, dest_path=path)

    def _recipe(self, instance):
        """Which appliance the server's image names; None when it names none."""
        try:
            with open(os.path.join(self._folder(instance), "image")) as f:
                manifest = json.load(f)
        except (ValueError, FileNotFoundError):  # another image; or a server made while the driver was another one
            return None
        return manifest.get("recipe") if isinstance(manifest, dict) and manifest.get("format") == "elastigrid-appliance" else None

    # Life

    def _boot(self, instance, network_info):
        order = {"hostName": instance.hostname, "vcpus": instance.flavor.vcpus, "memoryMiB": instance.flavor.memory_mb, "cards": cards(network_info)}
        recipe = self._recipe(instance)
        call("POST", f"/servers/{instance.uuid}/boot", order if recipe is None else dict(order, recipe=recipe))

    def spawn(self, context, instance, image_meta, injected_files, admin_password, allocations, network_info=None,
              block_device_info=None, power_on=True, accel_info=None):
        for vif in network_info or []:
            vif.fixed_ips()  # waits for the network's part of the work
        self._fetch(context, instance, image_meta)
        if not power_on:
            return
        # Like libvirt's driver: the guest runs once neutron has its ports in service, so that its first question is answered.
        events = [("network-vif-plugged", vif["id"]) for vif in network_info or [] if vif.get("active", True) is False]
        try:
            with self.virtapi.wait_for_instance_event(instance, events, deadline=CONF.vif_plugging_timeout):
                self.plug_vifs(instance, network_info)
        except eventlet.timeout.Timeout:
            LOG.warning("neutron did not say that the ports of %s are in service", instance.uuid)
        self._boot(instance, network_info)

    def plug_vifs(self, instance, network_info):
        call("POST", f"/servers/{instance.uuid}/plug", {"cards": cards(network_info)})

    def unplug_vifs(self, instance, network_info):
        pass  # a cable goes with its guest

    def destroy(self, context, instance, network_info, block_device_info=None, destroy_disks=True, destroy_secrets=True):
        call("DELETE" if destroy_disks else "POST", f"/servers/{instance.uuid}" + ("" if destroy_disks else "/unplug"))

    def cleanup(self, context, instance, network_info, block_device_info=None, destroy_disks=True, migrate_data=None,
                destroy_vifs=True, destroy_secrets=True):
        if destroy_disks:
            call("DELETE", f"/servers/{instance.uuid}")

    def power_off(self, instance, timeout=0, retry_interval=0):
        if timeout:
            self._ask_to_end(instance, timeout)
        call("POST", f"/servers/{instance.uuid}/unplug")

    def _ask_to_end(self, instance, seconds):
        call("POST", f"/servers/{instance.uuid}/power")
        end = time.time() + seconds
        while instance.uuid in self._running() and time.time() < end:
            time.sleep(0.2)

    def power_on(self, context, instance, network_info, block_device_info=None, accel_info=None):
        self._boot(instance, network_info)

    def reboot(self, context, instance, network_info, reboot_type, block_device_info=None, bad_volumes_callback=None, accel_info=None):
        self.power_off(instance, timeout=DEFAULT_OFF_SECONDS if reboot_type == "SOFT" else 0)
        self._boot(instance, network_info)

    def resume_state_on_host_boot(self, context, instance, network_info, block_device_info=None):
        self._boot(instance, network_info)

    def get_console_output(self, context, instance):
        return call("GET", f"/servers/{instance.uuid}/console?bytes={CONSOLE_BYTES}")["text"].encode("utf-8", "replace")

    def detach_interface(self, context, instance, vif):
        call("DELETE", f"/servers/{instance.uuid}/cards/{vif['devname']}")

    def _not_here(self, *args, **kwargs):
        raise NotImplementedError()

    attach_interface = attach_volume = detach_volume = snapshot = pause = unpause = suspend = resume = rescue = unrescue = _not_here
    migrate_disk_and_power_off = finish_migration = _not_here
