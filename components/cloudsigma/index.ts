export { Drive, type DriveArgs } from "./drive";
export { KeyPair, type KeyPairArgs } from "./key-pair";
export { MasterReady, type MasterReadyArgs } from "./master-ready";
export type { MarkedArgs, MarksArgs } from "./resource-args";
export { Server, type NicArgs, type ServerArgs, type ServerDriveArgs } from "./server";
export { StaticIp, type StaticIpArgs } from "./static-ip";
export { Tag, type TagArgs } from "./tag";
export { Vlan, type PurchaseArgs, type VlanArgs } from "./vlan";
export { WorkerPool, type WorkerPoolArgs, type WorkerPoolTypeArgs } from "./worker-pool";
