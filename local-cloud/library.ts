import type { LibraryImage } from "./backend";
import type { License } from "./model/rows";

/** A drive of the library: nobody's, readable by all, clonable. */
export interface LibraryRow {
  readonly uuid: string;
  readonly name: string;
  readonly size: number;
  readonly media: "disk" | "cdrom";
  readonly arch: string;
  readonly os: string;
  readonly distribution: string | null;
  readonly version: string | null;
  readonly description: string;
  readonly image_type: string;
  readonly install_notes: string;
  readonly paid: boolean;
  readonly licenses: readonly License[];
  readonly category: readonly string[];
}

export const fromImage = (i: LibraryImage): LibraryRow => ({
  uuid: i.uuid, name: i.name, size: i.sizeBytes, media: "disk", arch: i.arch, os: i.os, distribution: i.distribution, version: i.version, description: i.description,
  image_type: "preinst", install_notes: "", paid: false, licenses: [], category: ["general"],
});

const GIB = 2 ** 30;
const debian = { os: "linux", arch: "64", paid: false, licenses: [], category: ["general"], distribution: "debian" } as const;

/** What else the library of a cloud holds; nothing of it boots on this computer, so only the back end `none` shows it. */
export const shelf: readonly LibraryRow[] = [
  { ...debian, uuid: "3e4a1f52-60c5-4d0c-9a5c-0d8b2a6c1e01", name: "Debian 12 Server", size: 10 * GIB, media: "disk", version: "12", description: "cloud image with cloud-init", image_type: "preinst", install_notes: "log in as cloudsigma with the ssh key of the server" },
  { ...debian, uuid: "3e4a1f52-60c5-4d0c-9a5c-0d8b2a6c1e02", name: "Debian 13 Server", size: 10 * GIB, media: "disk", version: "13", description: "cloud image with cloud-init", image_type: "preinst", install_notes: "log in as cloudsigma with the ssh key of the server" },
  { ...debian, uuid: "3e4a1f52-60c5-4d0c-9a5c-0d8b2a6c1e03", name: "Ubuntu 24.04 LTS", distribution: "ubuntu", size: 10 * GIB, media: "disk", version: "24.04", description: "cloud image with cloud-init", image_type: "preinst", install_notes: "log in as cloudsigma with the ssh key of the server" },
  { ...debian, uuid: "3e4a1f52-60c5-4d0c-9a5c-0d8b2a6c1e04", name: "Debian 12 install CD", size: 1 * GIB, media: "cdrom", version: "12", description: "installer", image_type: "install", install_notes: "attach as ide" },
  {
    uuid: "3e4a1f52-60c5-4d0c-9a5c-0d8b2a6c1e05", name: "Windows Server 2022", size: 30 * GIB, media: "disk", os: "windows", arch: "64", distribution: null, version: "2022", description: "licensed image",
    image_type: "preinst", install_notes: "", paid: true, category: ["general"],
    licenses: [{ amount: 1, user: null, license: { burstable: true, long_name: "Windows Server 2022 Standard", name: "msft_ws_core", resource_uri: "/api/2.0/licenses/12/", type: "instance", user_metric: "smp" } }],
  },
];
