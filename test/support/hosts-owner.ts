import { hostsBackend } from "../../local-cloud/hosts";

/** A process that owns one running host until it is killed: what `kill -9` of local-cloud is tried on. */
async function main(stateDir: string, cacheDir: string): Promise<void> {
  const cloud = hostsBackend({ stateDir, cacheDir, instance: "owner", publishPorts: [2222] });
  await cloud.open();
  await cloud.createDrive("disk", cloud.images[0]?.uuid);
  await cloud.boot({
    uuid: "0e000000-0000-4000-8000-000000000001", name: "victim", cpuMHz: 2000, smp: 1, memoryBytes: 512 * 2 ** 20, bootDriveUuid: "disk",
    nics: [{ mac: "22:0e:00:00:00:01", publicAddress: cloud.publicAddresses()[0] }, { mac: "22:0e:00:00:00:02", vlanUuid: "vlan" }],
    meta: {}, publicKeys: [],
  });
  process.stdout.write("up\n");
  setInterval(() => undefined, 1000);
}

main(process.argv[2] ?? "", process.argv[3] ?? "").catch((e: Error) => {
  process.stderr.write(`${e.message}\n`);
  process.exit(1);
});
