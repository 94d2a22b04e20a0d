"""cinder's driver for the lab: a volume is a sparse file in the lab's state, and who is given one gets its path. Nothing of the
computer is used for it: no device, no volume group, no iSCSI. What it does not know says so (NotImplementedError)."""
import os

from cinder import exception, interface
from cinder.volume import driver
from oslo_concurrency import processutils
from oslo_utils import units

FOLDER = "/lab/state/cinder/volumes"


@interface.volumedriver
class FilesDriver(driver.VolumeDriver):
    VERSION = "1"
    CI_WIKI_NAME = "none"

    def check_for_setup_error(self):
        os.makedirs(FOLDER, exist_ok=True)

    def _update_volume_stats(self):
        self._stats = {"volume_backend_name": "files", "vendor_name": "elastigrid", "driver_version": self.VERSION, "storage_protocol": "local",
                       # Files are sparse: what is promised need not be there.
                       "total_capacity_gb": "infinite", "free_capacity_gb": "infinite"}

    # The files

    @staticmethod
    def _path(thing):
        return os.path.join(FOLDER, thing.id)

    def _resize(self, volume, gib):
        with open(self._path(volume), "ab") as f:
            f.truncate(gib * units.Gi)

    def _copy(self, source, target):
        processutils.execute("cp", "--reflink=auto", "--sparse=always", self._path(source), self._path(target))

    def _remove(self, thing):
        if os.path.exists(self._path(thing)):
            os.unlink(self._path(thing))

    def create_volume(self, volume):
        self._resize(volume, volume.size)

    def delete_volume(self, volume):
        self._remove(volume)

    def extend_volume(self, volume, new_size):
        self._resize(volume, new_size)

    def create_cloned_volume(self, volume, src_vref):
        self._copy(src_vref, volume)
        self._resize(volume, volume.size)

    def create_snapshot(self, snapshot):
        self._copy(snapshot.volume, snapshot)

    def delete_snapshot(self, snapshot):
        self._remove(snapshot)

    def create_volume_from_snapshot(self, volume, snapshot):
        self._copy(snapshot, volume)
        self._resize(volume, volume.size)

    def clone_image(self, context, volume, image_location, image_meta, image_service):
        if image_meta["disk_format"] != "raw" or image_meta["container_format"] != "bare":
            raise exception.ImageUnacceptable(image_id=image_meta["id"], reason="this lab makes volumes from raw images only")
        with open(self._path(volume), "wb") as f:
            image_service.download(context, image_meta["id"], f)
        self._resize(volume, volume.size)
        return {}, True

    # Who has it

    def ensure_export(self, context, volume):
        if not os.path.exists(self._path(volume)):
            raise exception.VolumeBackendAPIException(data=f"the file of volume {volume.id} is gone")

    def create_export(self, context, volume, connector):
        pass

    def remove_export(self, context, volume):
        pass

    def initialize_connection(self, volume, connector, **kwargs):
        return {"driver_volume_type": "local", "data": {"volume_id": volume.id, "device_path": self._path(volume), "access_mode": "rw"}}

    def terminate_connection(self, volume, connector, **kwargs):
        pass
