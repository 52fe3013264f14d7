import { NextResponse } from "next/server";

/** The nonces are for Next.js's own inline scripts, which reads them from the request's header. */
export function proxy(request) {
  const nonce = btoa(crypto.randomUUID());
  const policy = `script-src 'self' 'nonce-${nonce}' 'wasm-unsafe-eval'; connect-src 'self'`;
  const headers = new Headers(request.headers);
  headers.set("content-security-policy", policy);
  const response = NextResponse.next({ request: { headers } });
  response.headers.set("content-security-policy", policy);
  return response;
}
