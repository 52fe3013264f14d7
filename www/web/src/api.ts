/**
 * The shop's API. It uses plain `fetch` and knows nothing of sessions: Passerby adds them
 * underneath.
 */

export interface Product {
  id: string;
  name: string;
  light: string;
  price: number;
}

export interface CartLine {
  productId: string;
  name: string;
  price: number;
  quantity: number;
  total: number;
}

export interface Cart {
  lines: CartLine[];
  count: number;
  total: number;
}

/** An answer that is not 2xx, with what the server said about it. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
    this.name = "ApiError";
  }
}

async function call<T>(method: "GET" | "POST", path: string, body?: object): Promise<T> {
  const init: RequestInit = { method };
  if (body !== undefined) {
    init.headers = { "content-type": "application/json" };
    init.body = JSON.stringify(body);
  }
  const response = await fetch(path, init);
  const answer: unknown = await response.json().catch(() => undefined);
  if (!response.ok)
    throw new ApiError(
      response.status,
      messageOf(answer) ?? `The server answered ${response.status}`,
    );
  return answer as T;
}

function messageOf(answer: unknown): string | undefined {
  if (typeof answer !== "object" || answer === null || !("message" in answer)) return undefined;
  return typeof answer.message === "string" ? answer.message : undefined;
}

/** The fate of the anonymousId at sign-out. */
export type AfterSignOut = "keep" | "rotate";

export const api = {
  products: () => call<Product[]>("GET", "/api/products"),
  cart: () => call<Cart>("GET", "/api/cart"),
  /** The quantity wanted, not a difference: a request that is sent twice does no harm. */
  setQuantity: (productId: string, quantity: number) =>
    call<Cart>("POST", "/api/cart", { productId, quantity }),
  order: () => call<{ number: number; total: number }>("POST", "/api/orders"),
  login: (name: string, password: string) =>
    call<{ userId: string; name: string }>("POST", "/api/login", { name, password }),
  /** For signed-in customers only. */
  account: () =>
    call<{ userId: string; name: string; anonymousId?: string }>("GET", "/api/account"),
  /** For everybody. */
  me: () =>
    call<{ kind: "anonymous" | "user"; anonymousId?: string; userId?: string }>("GET", "/api/me"),
  demo: {
    expire: () => call<object>("POST", "/api/demo/expire"),
    revoke: () => call<object>("POST", "/api/demo/revoke"),
    /** For this visitor; the server keeps it in the session's payload. */
    chooseAfterSignOut: (policy: AfterSignOut) =>
      call<undefined>("POST", "/api/demo/after-sign-out", { policy }),
    /** Below the refresh path, because the browser sends the refresh token nowhere else. */
    steal: () => call<object>("POST", "/auth/session/refresh/steal"),
  },
};

/** The text for a visitor when something went wrong. */
export function explain(error: unknown): string {
  if (error instanceof ApiError) return error.message;
  // Passerby rejects with the response when the server refused a refresh or a sign-out.
  if (error instanceof Response) return `The server answered ${error.status}`;
  if (error instanceof TypeError) return "The server cannot be reached. Is it running?";
  return error instanceof Error ? error.message : String(error);
}
