// A whole `/refresh-session` page of a server-rendered app. The npm package loads it when it is first called.

/**
 * Goes back to where `?redirectBack=` says if the refresh gave a user session, else to the login page, which gets the same.
 * @param {Promise<boolean>} attempt of a refresh
 * @param {(url: string, origin: string, ownOrigin: string, isListed: boolean) => boolean} mayFollow
 * @param {string} loginPath @param {string[]} allowedOrigins
 */
export async function refreshSessionPage(attempt, mayFollow, loginPath, allowedOrigins) {
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
  const isAllowed = mayFollow(target.href, target.origin, origin, allowedOrigins.includes(target.origin));
  location.replace(isAllowed ? target.href : origin);
}
