// Signing out: a POST from our own page, so that its Origin is ours.
"use strict";

document.getElementById("sign-out").addEventListener("click", async () => {
  await fetch("/api/auth/logout", { method: "POST" });
  location.assign("/");
});
