/** The kinds of error that the API knows (cloudsigma-api.md, section 5). */
export type ErrorType = "validation" | "notexist" | "permission" | "concurrency" | "backend" | "database" | "billing" | "payment";

export interface ErrorItem {
  readonly error_message: string;
  readonly error_point: string | null;
  readonly error_type: ErrorType;
}

/** A refusal as the API states it: a status and a list of complaints. */
export class ApiError extends Error {
  readonly status: number;
  readonly items: readonly ErrorItem[];
  constructor(status: number, items: readonly ErrorItem[]) {
    super(items.map((i) => i.error_message).join("; "));
    this.name = "ApiError";
    this.status = status;
    this.items = items;
  }
}

const one = (status: number, type: ErrorType, message: string, point: string | null = null): ApiError =>
  new ApiError(status, [{ error_message: message, error_point: point, error_type: type }]);

export const notExist = (uuid: string, point: string | null = null): ApiError => one(404, "notexist", `object with uuid ${uuid} does not exist`, point);
export const notFoundPath = (path: string): ApiError => one(404, "notexist", `there is nothing at ${path}`);
export const forbidden = (message: string): ApiError => one(403, "permission", message);
export const invalid = (point: string | null, message: string): ApiError => one(400, "validation", message, point);
export const noFunds = (message: string): ApiError => one(402, "billing", message);
export const noCapacity = (message: string): ApiError => one(503, "backend", message);
export const concurrent = (): ApiError => one(503, "concurrency", "another operation changes the same object; repeat later");
export const notAllowed = (method: string): ApiError => one(405, "permission", `method ${method} is not allowed here`);

const TYPE_OF_STATUS: Readonly<Record<number, ErrorType>> = { 400: "validation", 401: "permission", 402: "billing", 403: "permission", 404: "notexist", 503: "concurrency" };
export const errorOf = (status: number, type?: ErrorType, message = "planted fault", point: string | null = null): ApiError =>
  one(status, type ?? TYPE_OF_STATUS[status] ?? "backend", message, point);
