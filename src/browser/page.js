// A whole `/refresh-session` page of a server-rendered app. The npm package loads it when it is
// first called.

/**
 * Goes back to where `?redirectBack=` says if the refresh gave a user session, else to the login
 * page, which gets the same.
 * @param {Promise<boolean>} attempt of a refresh
 * @param {string} loginPath @param {string[]} allowedOrigins
 */
export async function refreshSessionPage(attempt, loginPath, allowedOrigins) {
  const isUser = await attempt;
  const { origin, pathname, search } = location;
  const back = new URLSearchParams(search).get("redirectBack");
  if (!isUser) {
    const login = new URL(loginPath, origin);
    if (back) login.searchParams.set("redirectBack", back);
    return location.replace(login.href);
  }
  let target = new URL(origin);
  try {
    target = new URL(back || "/", document.baseURI);
  } catch {
    // No address: the root.
  }
  // A page under an address with credentials cannot fetch anything by a relative one.
  target.username = target.password = "";
  // This page again would come back here for ever.
  if (target.origin === origin && target.pathname === pathname) target = new URL(origin);
  location.replace(mayFollow(target, origin, allowedOrigins) ? target.href : origin);
}

/**
 * Only to a page of the web, of this origin or of one that the app listed. The origin alone does
 * not tell: `blob:` has the one of its maker, and `javascript:` an opaque one, as sandboxed pages
 * have.
 * @param {URL} url @param {string} ownOrigin @param {string[]} allowedOrigins
 */
export function mayFollow({ protocol, origin }, ownOrigin, allowedOrigins) {
  return /^https?:$/.test(protocol) && [ownOrigin, ...allowedOrigins].includes(origin);
}
