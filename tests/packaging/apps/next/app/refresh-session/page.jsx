"use client";

import { init, refreshSessionPage } from "passerby";
import { useEffect } from "react";

export default function RefreshSession() {
  useEffect(() => {
    init({ apiDomain: location.origin, anonymous: {} });
    void refreshSessionPage({ loginPath: "/login" });
  }, []);
  return <p>One moment…</p>;
}
