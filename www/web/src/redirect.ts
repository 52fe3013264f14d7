/**
 * Where to go after signing in: the address on this site that `?redirectBack=` names, or the shop.
 * Whole addresses only: the path of `/.//evil.example` is `//evil.example`, which alone would lead
 * elsewhere. And `blob:` addresses have the origin of the page that made them.
 */
export function addressAfterLogin(query: string): string {
  const wanted = new URLSearchParams(query).get("redirectBack") || "/";
  const url = URL.canParse(wanted, location.origin) ? new URL(wanted, location.origin) : undefined;
  return url?.origin === location.origin && url.protocol === location.protocol
    ? url.href
    : location.origin + "/";
}
