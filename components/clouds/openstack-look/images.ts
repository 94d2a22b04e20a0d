import { open } from "node:fs/promises";
import { isAbsolute, resolve } from "node:path";
import type { GridConfig, ImageChoice, ServerSize } from "../../config/grid-config";
import { defaultImageName } from "../../config/schema";
import { resembling } from "../../policy/names";
import { formatSizeMiB, mebibyte } from "../../policy/sizes";
import type { Asking } from "./asking";
import type { ImageUpload } from "../openstack-facts";

interface GlanceImage {
  readonly id: string;
  readonly name: string | null;
  readonly status: string;
  readonly size?: number | null;
  readonly virtual_size?: number | null;
  readonly min_disk?: number;
  readonly min_ram?: number;
}

/** The image that exists, or the file that becomes one, and what it asks of a server. */
export interface FoundImage {
  readonly image?: { readonly id: string; readonly name: string };
  readonly upload?: ImageUpload;
}

export type ReadHead = (path: string) => Promise<{ readonly sizeBytes: number; readonly head: Buffer }>;

/** Who boots from an image: path in the configuration, and size. */
type Sized = readonly [path: string, size: ServerSize];

/** One image, ready, and small enough for all kinds of servers that boot from it. */
export async function findImage(asking: Asking, config: GridConfig, projectRoot: string, readHead: ReadHead = readFileHead): Promise<FoundImage | undefined> {
  const types = (config.workers.types ?? []).filter((t) => t.image === undefined);
  const users: readonly Sized[] = [["grid.master", config.master], ["grid.workers", config.workers], ...types.map((t): Sized => [`grid.workers.types.${t.name}`, t])];
  if (config.openstack.imageFile !== undefined) return findUpload(asking, users, config.openstack.imageFile, projectRoot, readHead);
  return oneImage(asking, "grid.image", config.image, users);
}

/** The images that further worker types have of their own, by the type's name; undefined where one was complained of. */
export async function findTypeImages(asking: Asking, config: GridConfig): Promise<Readonly<Record<string, FoundImage["image"]>> | undefined> {
  const own = (config.workers.types ?? []).flatMap((t) => (t.image === undefined ? [] : [{ t, image: t.image }]));
  const found = await Promise.all(own.map(async ({ t, image }) => [t.name, (await oneImage(asking, `grid.workers.types.${t.name}.image`, image, [[`grid.workers.types.${t.name}`, t]]))?.image] as const));
  return found.some(([, image]) => image === undefined) ? undefined : Object.fromEntries(found);
}

async function oneImage(asking: Asking, at: string, choice: ImageChoice, users: readonly Sized[]): Promise<FoundImage | undefined> {
  const { name, uuid } = choice;
  const path = uuid === undefined ? `${at}.name` : `${at}.uuid`;
  const wanted = uuid ?? name ?? "";
  const found = await asking.ask("image", imagesCalled(asking, wanted, uuid !== undefined));
  if (found === undefined) return undefined;
  if (found.length > 1) return asking.complain(path, wanted, `is the name of ${found.length} images`, `set ${at}.uuid to one of ${found.map((i) => i.id).join(", ")}`);
  const image = found[0];
  if (image === undefined) return notThere(asking, choice, path, wanted);
  if (image.status !== "active") return asking.complain(path, wanted, `is not ready: Glance says ${image.status}`, image.status === "queued" || image.status === "saving" || image.status === "importing" ? "wait until its upload has ended, or upload it again" : "ask its owner, or name another");
  const bytes = Math.max(image.virtual_size ?? 0, image.size ?? 0);
  checkNeeds(asking, users, { diskMiB: Math.max((image.min_disk ?? 0) * 1024, Math.ceil(bytes / mebibyte)), memoryMiB: image.min_ram ?? 0 });
  return { image: { id: image.id, name: image.name ?? image.id } };
}

async function imagesCalled(asking: Asking, wanted: string, byId: boolean): Promise<readonly GlanceImage[]> {
  const { api } = asking;
  const named = byId ? [] : await api.list<GlanceImage>("image", "/images", "images", { query: { name: wanted } });
  if (named.length > 0 || !isUuid(wanted)) return named;
  const image = await api.find<GlanceImage>("image", `/images/${encodeURIComponent(wanted)}`);
  return image === undefined ? [] : [image];
}

async function notThere(asking: Asking, choice: ImageChoice, path: string, wanted: string): Promise<undefined> {
  const all = await asking.ask("image", asking.api.list<GlanceImage>("image", "/images", "images"));
  if (all === undefined) return undefined;
  const names = all.flatMap((i) => (i.name === null ? [] : [i.name]));
  const near = resembling(wanted, names);
  const isDefault = choice.kind === "appliance" && wanted === defaultImageName;
  const fix = isDefault
    ? "this project does not see the appliance: upload it (`grid.openstack.imageFile` does), or name a Debian 13 image in grid.image.name and set grid.image.kind to stock"
    : near.length > 0 ? `near names: ${near.join(", ")}` : `the project sees ${names.length === 0 ? "no image; upload one (`grid.openstack.imageFile` does)" : `${names.length} images: ${some(names)}`}`;
  return asking.complain(path, wanted, "is no image that this project sees", fix);
}

async function findUpload(asking: Asking, users: readonly Sized[], file: string, projectRoot: string, readHead: ReadHead): Promise<FoundImage | undefined> {
  const path = isAbsolute(file) ? file : resolve(projectRoot, file);
  let read: Awaited<ReturnType<ReadHead>>;
  try {
    read = await readHead(path);
  } catch (e) {
    return asking.complain("grid.openstack.imageFile", file, `cannot be read: ${e instanceof Error ? e.message : String(e)}`, `make it (\`images/\`), or name a file; it was looked for at ${path}`);
  }
  const format = read.head.subarray(0, 4).equals(QCOW2) ? "qcow2" : "raw";
  if (read.sizeBytes === 0) return asking.complain("grid.openstack.imageFile", file, "is empty", "make it again");
  const virtualBytes = format === "qcow2" ? Number(read.head.readBigUInt64BE(24)) : read.sizeBytes;
  checkNeeds(asking, users, { diskMiB: Math.ceil(virtualBytes / mebibyte), memoryMiB: 0 });
  return { upload: { path, format, virtualBytes } };
}

const QCOW2 = Buffer.from([0x51, 0x46, 0x49, 0xfb]);

async function readFileHead(path: string): ReturnType<ReadHead> {
  const file = await open(path, "r");
  try {
    const head = Buffer.alloc(32);
    await file.read(head, 0, head.length, 0);
    return { sizeBytes: (await file.stat()).size, head };
  } finally {
    await file.close();
  }
}

/** As on CloudSigma, what the configuration asks for must suffice; a flavor that fits the configuration then fits the image. */
function checkNeeds(asking: Asking, users: readonly Sized[], needs: { readonly diskMiB: number; readonly memoryMiB: number }): void {
  for (const [path, size] of users) {
    const check = (key: "disk" | "memory", has: number, wants: number): void => {
      if (has < wants) asking.complain(`${path}.${key}`, formatSizeMiB(has), `is smaller than the image ${key === "disk" ? "" : "asks for "}(${formatSizeMiB(wants)})`, `set it to "${formatSizeMiB(wants)}" or more`);
    };
    check("disk", size.diskMiB, needs.diskMiB);
    check("memory", size.memoryMiB, needs.memoryMiB);
  }
}

export const isUuid = (text: string): boolean => /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i.test(text);

/** A few of many names, in order. */
export const some = (names: readonly string[], most = 8): string => {
  const sorted = [...names].sort();
  return sorted.length <= most ? sorted.join(", ") : `${sorted.slice(0, most).join(", ")} and ${sorted.length - most} more`;
};
