import { isLocalHost } from "../endpoint";
import { makeClient, type Client, type ClientOptions } from "../client";
import { OneAtATime } from "../one-at-a-time";

/** How to reach the account, before anything is asked. */
export type Settings = Pick<ClientOptions, "endpoint" | "location" | "username" | "password" | "token">;

/** Reads one setting; Pulumi's configuration and the environment both fit. */
export type Get = (key: string) => string | undefined;

/** Explicit configuration wins over the environment; endpoint and location count as one choice, and so do token and password. */
export function settingsFrom(config: Get, env: Readonly<Record<string, string | undefined>>): Settings {
  const set = (v: string | undefined): string | undefined => (v === undefined || v === "" ? undefined : v);
  const [endpoint, location] = [set(config("cloudsigma:endpoint")), set(config("cloudsigma:location"))];
  const where = endpoint !== undefined || location !== undefined ? { endpoint, location } : { endpoint: set(env["CLOUDSIGMA_ENDPOINT"]), location: set(env["CLOUDSIGMA_LOCATION"]) };
  const [token, username, password] = [set(config("cloudsigma:token")), set(config("cloudsigma:username")), set(config("cloudsigma:password"))];
  const ownLogin = username !== undefined || password !== undefined;
  const who = {
    token: token ?? (ownLogin ? undefined : set(env["CLOUDSIGMA_TOKEN"])),
    username: username ?? set(env["CLOUDSIGMA_USERNAME"]),
    password: password ?? set(env["CLOUDSIGMA_PASSWORD"]),
  };
  return Object.fromEntries(Object.entries({ ...where, ...who }).filter(([, v]) => v !== undefined));
}

/** What the verbs of all resources share in one process. */
export interface Context {
  readonly client: Client;
  /** Pause between two looks in a wait. */
  readonly pollMs: number;
  /** Pause before looking for what a lost create may have made: lists lag behind. */
  readonly settleMs: number;
  /** Critical sections between resources of this process, such as a purchase and its marking. */
  readonly exclusive: OneAtATime;
}

let settings: Settings = {};
let fixed: Context | undefined;
let context: { readonly key: string; readonly value: Context } | undefined;

/** Called by the engine once per process and resource type, with the stack's configuration (secrets in clear). */
export function configure(req: { readonly config: { get(key: string): string | undefined } }): Promise<void> {
  settings = settingsFrom((key) => req.config.get(key), process.env);
  return Promise.resolve();
}

/** Made at first use: check and diff work without credentials. */
export function currentContext(): Context {
  if (fixed !== undefined) return fixed;
  const key = JSON.stringify(settings);
  if (context?.key !== key) context = { key, value: contextOf(makeClient(settings)) };
  return context.value;
}

export function contextOf(client: Client): Context {
  const local = isLocalHost(new URL(client.endpoint).hostname);
  return { client, pollMs: local ? 150 : 2_000, settleMs: local ? 200 : 5_000, exclusive: new OneAtATime() };
}

/** For tests: with shorter pauses than a cloud likes. Undefined ends it. */
export function useContext(value: Context | undefined): void {
  fixed = value;
}
