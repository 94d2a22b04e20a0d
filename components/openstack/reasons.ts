import type { Openstack } from "./api";
import type { LostKind } from "./lost";
import { stacksNamed } from "./stacks";

/**
 * Why a server or a stack could not be made, in the words of nova or Heat: the engine's plugin only says that its state is an error. To
 * be asked before what failed is removed.
 */
export async function reasonBehind(api: Openstack, kind: LostKind | undefined, inputs: Readonly<Record<string, unknown>>, error: string): Promise<string | undefined> {
  if (kind === "server") {
    const id = /\(([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\)/.exec(error)?.[1];
    const found = id === undefined ? undefined : await api.find<{ server: { fault?: { message?: string } } }>("compute", `/servers/${id}`);
    return spoken("nova", found?.server.fault?.message);
  }
  if (kind === "stack") {
    const [found] = await stacksNamed(api, (name) => name === inputs["name"]);
    return found?.stack_status.endsWith("_FAILED") === true ? spoken("Heat", found.stack_status_reason) : undefined;
  }
  return undefined;
}

const spoken = (who: string, words: string | null | undefined): string | undefined => (words === undefined || words === null || words.trim() === "" ? undefined : `${who} says: ${words.trim().replace(/\.$/, "")}`);
